/**
 * sluice: stages that run by themselves, joined by bounded channels.
 *
 *     source ──▶ [channel] ──▶ stage ──▶ [channel] ──▶ sink
 *                   256          task       256
 *
 *     import { batch, filter, map, pipeline, range } from 'sluice'
 *     await pipeline(range(10), map((n) => n * n), filter((n) => n % 2 === 0), batch(3)).run()
 *     // => [[0, 4, 16], [36, 64]]
 */

// Channels: senders and receivers, waiting on many at once, time.
export { channel, type ChannelOptions, type Overflow } from './channel/channel.ts'
export type { Receiver, Sender } from './channel/handles.ts'
export type { WaitOptions } from './channel/waiting.ts'
export {
  type Cases,
  select,
  sendCase,
  type SendCase,
  type Selected,
  type SelectOptions,
  trySelect,
} from './channel/select.ts'
export { after, never, tick } from './channel/timers.ts'

// Pipelines: putting stages together and running them.
export { pipeline, type Pipeline, type SinkPipeline } from './pipeline/pipeline.ts'
export type { Compose, Composition, SourceOrStage, StageOrSink } from './pipeline/compose.ts'
export type { Run, RunOptions } from './pipeline/run.ts'
export type { RunStats, StageStats } from './pipeline/stats.ts'
export type { Graph, GraphEdge, GraphNode } from './pipeline/graph.ts'
export { stage, through, type DuplexLike, type Transform, type TransformPair } from './pipeline/custom.ts'
export type { WritableLike } from './pipeline/writing.ts'
export type {
  CallFailure,
  Part,
  Sink,
  Source,
  Stage,
  StageContext,
  StageOptions,
  StageTask,
} from './pipeline/stage.ts'
export type { CallOptions, Fn, FoldOptions, RetryOptions } from './pipeline/retry.ts'
export type { Input, LateInput, ValueOf } from './pipeline/reading.ts'

// The catalogue.
export { interval, range, source, unfold, type UnfoldOptions } from './stages/source.ts'
export { concat, fanIn } from './stages/fan-in.ts'
export { interleave, mergeSorted, zip } from './stages/join.ts'
export type { FanInInput } from './pipeline/inputs.ts'
export { flatMap } from './stages/flat-map.ts'
export { filter, map, scan, tap } from './stages/transform.ts'
export { drop, dropWhile, take, takeWhile } from './stages/limit.ts'
export { changes, distinct } from './stages/changes.ts'
export { batch, type BatchOptions, unbatch, window } from './stages/group.ts'
export { buffer, type BufferOptions } from './stages/buffer.ts'
export { delay, idleTimeout, sample, throttle, type ThrottleOptions } from './stages/pace.ts'
export { alsoTo, balance, fanOut } from './stages/fan-out.ts'
export { groupBy, type GroupOptions, route } from './stages/route.ts'
export { count, drain, first, forEach, last, reduce, toArray, writeTo } from './stages/sink.ts'

// What can go wrong.
export { DeadlockError, DrainTimeoutError, RecvError, SendError, StageError } from './errors.ts'
