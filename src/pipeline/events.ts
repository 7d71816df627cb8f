/**
 * What observers are told: the channels of `node:diagnostics_channel`, where the runtime has it. It is asked for, not
 * imported, so that the core runs in browsers. Nothing is put together for a channel that nobody listens to.
 *
 * | channel | message |
 * | --- | --- |
 * | `sluice:run:start` | `{ run, pipeline }`: its stages are there, nothing has been read yet |
 * | `sluice:run:end` | `{ run, pipeline, error? }`: with `error` where it rejects |
 * | `sluice:run:stall` | `{ run, pipeline, report }`: nothing has moved for `stallAfter` |
 * | `sluice:stage:start` | `{ run, pipeline, stage, id }`: also for branches that come up later |
 * | `sluice:stage:end` | `{ run, pipeline, stage, id, error? }` |
 * | `sluice:stage:failure` | `{ run, pipeline, stage, id, error, value?, attempts?, fatal }`: a value that was skipped, or the stage has failed |
 *
 * `run` is what `start` gives, `pipeline` what it was called on, `stage` the name of the stage, and `id` that of its node
 * in `run.describe()`.
 */

type Event = 'run:start' | 'run:end' | 'run:stall' | 'stage:start' | 'stage:end' | 'stage:failure'

interface Channel {
  readonly hasSubscribers: boolean
  publish(message: object): void
}

const host = globalThis as {
  process?: { getBuiltinModule?(name: string): { channel(name: string): Channel } | undefined }
}
const channels: Partial<Record<Event, Channel | undefined>> = {}

export function tell(event: Event, message: () => object): void {
  const channel = (channels[event] ??= host.process
    ?.getBuiltinModule?.('node:diagnostics_channel')
    ?.channel(`sluice:${event}`))
  if (channel?.hasSubscribers) channel.publish(message())
}
