/**
 * sluice/testing: timed tests that are exact and take no time, with any test runner.
 *
 *     using time = virtualTime()
 *     const input = script([1, 2, pause(80), 3])
 *     const seen = timeline()
 *     await time.runUntil(pipeline(source(input), batch(5, { ms: 50 }), forEach(seen)).run())
 *     seen.entries // => [[50, [1, 2]], [80, [3]]]
 *     expectReleased(input, time)
 *
 * Nothing of the core is in here, and the core knows nothing of this: what these functions make are functions, async
 * iterables and plain errors. They need `@sinonjs/fake-timers`, an optional peer dependency.
 */
export { virtualTime, type VirtualTime, type VirtualTimeOptions } from './virtual-time.ts'
export { fail, hang, pause, script, type Script, type Step } from './script.ts'
export { timeline, type Timeline } from './timeline.ts'
export { gauge, type Gauge } from './gauge.ts'
export { expectReleased, type Releasable } from './released.ts'
