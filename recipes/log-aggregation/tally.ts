// The accounts: every line that was read is empty, below the level, written, or still in flight.

import { levels } from './levels.ts'

/** What has come from one source. */
export class SourceTally {
  /** Lines read, the empty ones included. */
  read = 0
  empty = 0
  /** Lines that `--level` left out. */
  below = 0
  /** Lines to be written by level, as in `levels`; the last entry is for lines without one. */
  readonly kept: number[] = Array.from({ length: levels.length + 1 }, () => 0)
  /** How many cuts were made in lines that were too long. */
  cuts = 0
  /** Why its reading ended early. */
  problem: string | undefined

  readonly source: string

  constructor(source: string) {
    this.source = source
  }
}

/** What all sources and the output have come to. */
export class Tally {
  readonly sources: SourceTally[] = []
  began = performance.now()
  written = 0
  batches = 0
  bytes = 0

  add(source: string): SourceTally {
    const tally = new SourceTally(source)
    this.sources.push(tally)
    return tally
  }

  sum(key: 'read' | 'empty' | 'below' | 'cuts'): number {
    return this.sources.reduce((sum, source) => sum + source[key], 0)
  }

  /** Lines that were read and should be written, but are not. */
  get inFlight(): number {
    return this.sum('read') - this.sum('empty') - this.sum('below') - this.written
  }

  get seconds(): number {
    return (performance.now() - this.began) / 1000
  }
}
