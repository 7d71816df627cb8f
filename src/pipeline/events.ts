/**
 * What observers are told: the channels of `node:diagnostics_channel`, where the runtime has it. Nothing is put together for
 * a channel that nobody listens to, and a run whose signal has aborted before is none.
 *
 * | channel | message |
 * | --- | --- |
 * | `sluice:run:start` | `{ run, pipeline }`: its stages are there, nothing has been read yet |
 * | `sluice:run:end` | `{ run, pipeline, error? }`: with `error` where it rejects |
 * | `sluice:run:stall` | `{ run, pipeline, report }`: nothing has moved for `stallAfter` |
 * | `sluice:stage:start` | `{ run, pipeline, stage, index, id }`: also for branches that come up later |
 * | `sluice:stage:end` | `{ run, pipeline, stage, index, id, error? }` |
 * | `sluice:stage:failure` | `{ run, pipeline, stage, index, id, error, value?, attempts?, fatal }`: a value that was skipped, or the stage has failed |
 *
 * `run` is what `start` gives, `pipeline` what it was called on, `stage` the name of the stage, `index` its place in its
 * `pipeline(…)`, and `id` that of its node in `run.describe()`. Each stage that has begun ends once, before its run; what
 * happens after the end of a run is not told.
 */
import { builtin, type DiagnosticsChannel } from './builtin.ts'

type Event = 'run:start' | 'run:end' | 'run:stall' | 'stage:start' | 'stage:end' | 'stage:failure'

const channels: Partial<Record<Event, DiagnosticsChannel | undefined>> = {}

export function tell(event: Event, message: () => object): void {
  const channel = (channels[event] ??= builtin('node:diagnostics_channel')?.channel(`sluice:${event}`))
  if (channel?.hasSubscribers) channel.publish(message())
}
