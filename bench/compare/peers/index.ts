import type { Peer } from '../peer.ts'
import { effect } from './effect.ts'
import { highland } from './highland.ts'
import { it } from './it.ts'
import { ix } from './ix.ts'
import { nodeStreams } from './node-streams.ts'
import { pMap } from './p-map.ts'
import { rxjs } from './rxjs.ts'
import { sluice } from './sluice.ts'
import { streamingIterables } from './streaming-iterables.ts'

/** The columns of the table. */
export const peers: readonly Peer[] = [
  sluice,
  nodeStreams,
  ix,
  rxjs,
  effect,
  streamingIterables,
  pMap,
  highland,
  it,
]
