import type { Scenario } from '../scenario.ts'
import { asyncMap } from './async-map.ts'
import { asyncSource } from './async-source.ts'
import { byHand, tryPairs } from './by-hand.ts'
import { cheapStages, generator } from './cheap-stages.ts'
import { threeStages } from './three-stages.ts'

/** Every benchmark that `npm run bench` knows. */
export const scenarios: Scenario[] = [
  cheapStages,
  generator,
  threeStages,
  asyncSource,
  asyncMap,
  byHand,
  tryPairs,
]
