/** The rows of the stages that keep time or hold values; see `stage-rows.ts`. */
import { buffer, delay, idleTimeout, sample, throttle } from 'sluice'
import { upTo } from '../pipeline/support-sources.ts'
import { stageRow, type StageRow } from './stage-rows.ts'

const numbers = upTo(6)

export const paceRows: StageRow[] = [
  stageRow<number>({
    title: 'delay',
    name: 'delay',
    build: () => delay(1),
    input: numbers,
    output: numbers,
  }),
  stageRow<number>({
    title: 'throttle',
    name: 'throttle',
    build: () => throttle({ count: 2, per: 1, burst: 2 }),
    input: numbers,
    output: numbers,
  }),
  stageRow<number>({
    title: 'sample',
    name: 'sample',
    build: () => sample(60_000),
    input: numbers,
    output: [5],
    drops: true,
  }),
  stageRow<number>({
    title: 'buffer that blocks',
    name: 'buffer',
    build: () => buffer(4, 'block'),
    input: numbers,
    output: numbers,
    holds: 4,
  }),
  stageRow<number>({
    title: 'buffer that drops the oldest',
    name: 'buffer',
    build: () => buffer(10, 'drop-oldest'),
    input: numbers,
    output: numbers,
    holds: 10,
    drops: true,
  }),
  stageRow<number>({
    title: 'buffer that drops the newest',
    name: 'buffer',
    build: () => buffer(10, 'drop-newest'),
    input: numbers,
    output: numbers,
    holds: 10,
    drops: true,
  }),
  stageRow<number>({
    title: 'idleTimeout',
    name: 'idleTimeout',
    build: () => idleTimeout(60_000),
    input: numbers,
    output: numbers,
  }),
]
