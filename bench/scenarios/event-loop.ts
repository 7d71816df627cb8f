// What timers and I/O have to wait for while values in memory pass through cheap stages.

import { cheapStages } from './cheap-stages.ts'
import type { Scenario } from '../scenario.ts'

export const eventLoop: Scenario = {
  ...cheapStages,
  name: 'event-loop',
  claim: 'how late a timer of 1 ms is while values pass through the stages of cheap-stages',
  figure: 'delay',
  values: 100_000_000,
  rounds: 2,
  times: 1,
  patience: 4000,
  goals: [
    { figure: 'p99', atMost: 12 },
    { figure: 'max', atMost: 20 },
  ],
}
