/** Hears what runs tell on the channels of `node:diagnostics_channel`; and whether one had ended before anybody listened. */
import { channel } from 'node:diagnostics_channel'

/** By the event: `run:end` is told on `sluice:run:end`. `T` is what is told. Gives what ends it. */
export function listen<T>(heard: Readonly<Record<string, (message: T) => void>>): () => void {
  // The channels are held: Bun collects one that nobody holds, with those who listen.
  const listeners = Object.entries(heard).map(
    // Not the listener itself: to end one must not end another that is the same.
    ([event, hear]) => [channel(`sluice:${event}`), (message: unknown) => hear(message as T)] as const,
  )
  for (const [told, listener] of listeners) told.subscribe(listener)
  return () => {
    for (const [told, listener] of listeners) told.unsubscribe(listener)
  }
}

/** A run keeps the time of its end, not as a part of its interface. */
export function hasEnded(run: object): boolean {
  return (run as { ended?: number }).ended !== undefined
}
