import type { Scenario } from '../scenario.ts'
import { array } from './array.ts'
import { asyncMap, asyncMapOneByOne } from './async-map.ts'
import { asyncSource } from './async-source.ts'
import { balance, fanIn, groupBy } from './branches.ts'
import { byHand } from './by-hand.ts'
import { byLoop } from './by-loop.ts'
import { cheapStages, firstRun, generator } from './cheap-stages.ts'
import { eventLoop } from './event-loop.ts'
import { memory } from './memory.ts'
import { hops, loops } from './rejected.ts'
import { threeStages } from './three-stages.ts'
import { tryPairs } from './try-pairs.ts'

/** Every benchmark that `npm run bench` knows. */
export const scenarios: Scenario[] = [
  cheapStages,
  firstRun,
  generator,
  array,
  threeStages,
  asyncSource,
  asyncMap,
  asyncMapOneByOne,
  byHand,
  byLoop,
  tryPairs,
  fanIn,
  balance,
  groupBy,
  eventLoop,
  memory,
  loops,
  hops,
]
