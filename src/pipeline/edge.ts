/**
 * A channel as the edge between two stages: whole chunks, and tasks that park instead of waiting in line.
 *
 * A task that finds nothing to do parks on the edge and is woken when that has changed. Room is counted in values
 * and given back when a value has been handed on. At capacity 0 a parked reader is the room: its one value waits
 * in the buffer for the task to run, but is in its hands already.
 */
import type { Core, Wakeable } from '../channel/core.ts'
import { Exchange } from '../channel/exchange.ts'
import { settled, wakeLate } from './scheduler.ts'

/** How many values `append` may bring now. */
export function room<T>({ limit, buffer, readers }: Core<T>): number {
  return limit - buffer.length + (readers.head === undefined ? 0 : 1)
}

/**
 * `count` values have been put in the buffer: tells those who wait for them. A task is told `late` where more may come
 * before it has its turn.
 */
export function arrived<T>(core: Core<T>, count: number, late = false): void {
  core.accepted += count
  const { buffer, readers } = core
  while (readers.head !== undefined && buffer.length > 0) readers.head.serve()
  if (!core.readerParked || buffer.length === 0) return
  if (late && room(core) >= count) wakeLate(core)
  else core.wakeReader()
}

/** Puts in one value, for which there is room. */
export function put<T>(core: Core<T>, value: T, late = false): void {
  core.buffer.push(value)
  arrived(core, 1, late)
}

/**
 * `count` values of the head chunk have been read in place. Who waits for room is told `late` where there is little yet: to
 * bring one value costs a task as much as to bring many.
 */
export function skip<T>(core: Core<T>, count: number, late = false): void {
  const { buffer } = core
  buffer.skip(count)
  if (late && core.writerParked && buffer.length * 2 > core.limit) wakeLate(core)
  else core.roomMade()
}

/** How many values are gathered, of those that come one by one. */
export const MOST = 64

/**
 * Values are sent one by one, with an `await` for each: the first one wakes the reader at once. Those that follow before
 * the engine has run out of settled promises are gathered, for a step of the reader costs more than a value (bench: by-loop).
 */
export function sentOneByOne<T>(core: Core<T>): void {
  let gathering = false
  const wake = (): void => {
    if (core.readerParked && core.buffer.length > 0) core.wakeReader()
  }
  const gathered = (): void => {
    gathering = false
    wake()
  }
  core.arrived = () => {
    if (gathering && core.buffer.length < Math.min(MOST, core.limit)) return
    wake()
    gathering ||= settled(gathered)
  }
}

/**
 * The `roomMade` of a channel that is read one by one: sends that wait are let in at once, a task is told when half of it
 * is free, or when the engine has run out of settled promises, for a step of the writer costs more than a value (bench:
 * by-loop).
 */
export function roomOneByOne<T>(core: Core<T>): () => void {
  let later = false
  const wake = (): void => {
    later = false
    if (core.writerParked && core.buffer.length < core.limit) core.wakeWriter()
  }
  return () => {
    Exchange.prototype.roomMade.call(core)
    if (core.writerParked && (core.buffer.length * 2 <= core.limit || !(later ||= settled(wake)))) wake()
  }
}

/** The reading task wants to be woken when a value is there or the channel has ended. It has found neither. */
export function parkReader<T>(core: Core<T>): void {
  core.readerParked = true
  if (core.capacity > 0) return
  core.limit = 1
  core.roomMade()
}

/** As `parkReader`, where values stand that are not read yet. At a rendezvous none comes before that one is read. */
export function listen<T>(core: Core<T>): void {
  core.readerParked = core.capacity > 0 && core.buffer.length > 0
}

/** The writing task wants to be woken when there is room, or nobody to read. It has found neither. */
export function parkWriter<T>(core: Core<T>, task: Wakeable): void {
  core.writerParked = true
  core.writer?.park?.(task)
}

/** Ends one side for good, clones that a custom stage made included. */
export function closeSide<T>(core: Core<T>, side: 'sender' | 'receiver'): void {
  for (const handle of [...core.handles]) if (handle.side === side) core.close(handle)
  core[`${side}s`] = 0
  core.settle()
}
