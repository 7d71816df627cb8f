/**
 * Calling the user's function: the part that all stages with a function share.
 *
 * As long as results come at once, nothing is allocated: the family's `loop` calls the function over a chunk. The
 * first result that is a promise gets a slot, and so do those after it until the slots are empty again. Slots stand
 * in a list: of all calls in the order of their values, or (`ordered: false` and `by`) of those that are ready.
 * A slot counts against `concurrency` from its call until its result has been put out, or could be.
 *
 * As in a loop with an `await`, the next call is made where one comes back, and not in the next step: with a step for
 * each result, the steps would cost five times what the calls do (bench: async-map). The first result goes out at once,
 * those that follow before the engine has run out of settled promises go together, up to `MOST`. Where calls are not that
 * cheap, each is made in a step: only steps are timed.
 */
import { MOST } from './edge.ts'
import { type Keep, loopFor } from './loops.ts'
import { isThenable, promised, SKIPPED } from './results.ts'
import { type Call, type Fn, guarded, recover } from './retry.ts'
import { few, late, settled, tired } from './scheduler.ts'
import type { Kernel, Port } from './stage.ts'

/** With so many calls in flight a step has enough results at a time, and is faster. */
const MANY = 16

/** What a stage makes of results. */
export interface Family<In, R, Out> {
  /** As one of loops.ts, for results that come at once. */
  loop(port: Port<In, Out>, fn: Fn<In, R>, offset: number): unknown
  /** Puts out what one result is worth. `false` when it is not through: there is no room, or it set the slot to pending. */
  emit(port: Port<In, Out>, slot: Slot<In, R>): boolean
  /** It puts out one value for each at the most. */
  readonly replaces?: boolean
  /**
   * How many values a result will be worth at the most, where the next call may be made before it is put out; `Infinity`
   * where that must wait. Asked of the results in their order, some of them again.
   */
  worth?(slot: Slot<In, R>): number
  /** It judges its results in the order of their values, whatever `ordered` says. */
  readonly inOrder?: boolean
  /**
   * Whether no result matters any more. A family that has it judges its results in the order of their values: a call
   * that failed counts when its turn comes, and then only if this is not yet `true`.
   */
  readonly decided?: boolean
}

/** One call whose result has not been put out. */
export class Slot<In, R> {
  state: 'pending' | 'ready' | 'failed' = 'pending'
  // Those of every call from the start: an engine keeps what is added later apart, and a result costs a third more.
  value: In = undefined as In
  index = 0
  result: R | undefined = undefined
  key: unknown
  /** What a family keeps of a result that it has put out in part. */
  rest: unknown = undefined
  next: Slot<In, R> | undefined = undefined
  /** The call of the same key that waits for this one. */
  follower: Slot<In, R> | undefined
  readonly ok: (result: R) => void
  readonly err: (error: unknown) => void

  constructor(calls: { settled(slot: Slot<In, R>): void }) {
    this.ok = (result) => {
      this.result = result
      this.state = 'ready'
      calls.settled(this)
    }
    this.err = (error) => {
      this.result = error as R
      this.state = 'failed'
      calls.settled(this)
    }
  }
}

/** A stage that puts out one value for each, or none. */
export function keeping<In, R, Out>(keep: Keep, fn: Fn<In, R>): Family<In, R, Out> {
  const loop = loopFor(keep, fn)
  return {
    replaces: true,
    worth: () => 1,
    loop: (port, call, offset) => loop(port, call as Fn<unknown, unknown>, offset),
    emit(port, { value, result }) {
      if (keep === 'nothing' || (keep === 'passed' && !result)) return true
      if ((port.full = port.count >= port.room)) return false
      port.out[port.count++] = (keep === 'result' ? result : value) as Out
      return true
    },
  }
}

export class Calls<In, R, Out> implements Kernel<In, Out> {
  readonly #fn: Fn<In, R>
  readonly #concurrency: number
  readonly #inOrder: boolean
  readonly #by: ((value: In) => unknown) | undefined
  readonly #lastOfKey: Map<unknown, Slot<In, R>> | undefined
  readonly #replaces: boolean
  readonly #loose: boolean
  /** Whether calls are made one after the other out of steps: the last one that was made in a step did not come after results at once. */
  #follows = false
  /** Behind a rendezvous there is room only when the next stage waits: its calls would never overlap with those of this one. */
  readonly ahead: boolean
  #index = 0
  /** How many slots are in use, and all there are: never more than `concurrency` and `MOST`. */
  #used = 0
  protected readonly slots: Slot<In, R>[] = []
  readonly #unused: Slot<In, R>[] = []
  // The list of slots to put out.
  #first: Slot<In, R> | undefined
  #last: Slot<In, R> | undefined
  /** How many of them could be put out, what they are worth, the last of these, and whether those that come now are gathered. */
  #ready = 0
  #worth = 0
  #lastReady: Slot<In, R> | undefined
  #gathering = false
  /** The slot that made the stage fail. */
  #culprit: Slot<In, R> | undefined

  constructor(
    readonly port: Port<In, Out>,
    readonly family: Family<In, R, Out>,
    fn: Fn<In, R>,
    readonly call: Call<In>,
  ) {
    this.#fn = guarded(port, fn, call)
    this.#concurrency = call.concurrency
    this.#inOrder = family.inOrder ?? call.ordered
    this.#by = call.by
    this.#lastOfKey = call.by && new Map()
    this.#replaces = port.replaces = !!family.replaces
    this.#loose = !!family.worth && !port.shares && !call.by && call.concurrency < MANY
    this.ahead = port.output?.capacity === 0
  }

  run(port: Port<In, Out>): void {
    if (this.#first !== undefined) this.#drain()
    while (
      port.at < port.end &&
      this.#culprit === undefined &&
      this.#used < this.#concurrency &&
      !port.left
    ) {
      if (this.#used > 0 || this.#by !== undefined || (this.ahead && port.count >= port.room)) {
        this.#call()
      } else {
        const { at, end } = port
        const offset = this.#index - at
        const block = (port.end = Math.min(end, at + few()))
        const result = this.family.loop(port, this.#fn, offset)
        this.#index = offset + port.at
        this.#follows = this.#loose && port.at === at
        const isTired = tired(port.at - at)
        // Somebody may have lowered the end: the stage was left, wants no more, or has worked for too long.
        const lowered = port.end < block
        const through = port.at >= port.end
        if (!lowered) port.end = end
        if (result === undefined && (through || this.#replaces)) {
          // At its end, or without room, or for too long.
          if (lowered || port.at < block || block === end || isTired) break
          continue
        }
        this.await(this.#slot(port.items[port.at++]), result as R | PromiseLike<R>)
      }
      if (this.#first?.state !== 'pending') this.#drain()
      if ((port.at & 15) === 15 && late()) break
    }
    port.held = this.#culprit !== undefined || this.#used >= this.#concurrency
    port.replaces = this.#replaces && this.#used === 0
  }

  get pending(): boolean {
    return this.#used > 0
  }

  /** Calls the function for the next value, whatever comes of it. */
  #call(): void {
    const slot = this.#slot(this.port.items[this.port.at++])
    if (this.#by !== undefined) {
      // A key that no value has, should there be none.
      slot.key = slot
      try {
        slot.key = this.#by(slot.value)
      } catch (error) {
        return this.await(slot, recover<In, R>(this.port, this.call, error, slot.value, 0))
      }
      const before = this.#lastOfKey!.get(slot.key)
      this.#lastOfKey!.set(slot.key, slot)
      if (before !== undefined) {
        before.follower = slot
        return
      }
    }
    this.#invoke(slot)
  }

  #invoke(slot: Slot<In, R>): void {
    let result
    try {
      result = this.#fn(slot.value, slot.index, this.port.context)
    } catch (error) {
      // At once: no value is called for after that.
      this.port.calls++
      slot.err(error)
      return
    }
    this.await(slot, result)
  }

  /** A slot for a value that was taken from the input. */
  #slot(value: In): Slot<In, R> {
    let slot = this.#unused.pop()
    if (slot === undefined) this.slots.push((slot = new Slot<In, R>(this)))
    slot.value = value
    slot.index = this.#index++
    this.#used++
    if (this.#inOrder) this.#append(slot)
    return slot
  }

  /** Takes what a call has given, or waits for it where it is a promise. Named as what iterators do: bytes. */
  protected await(slot: Slot<In, R>, result: R | PromiseLike<R>): void {
    if (isThenable(result)) {
      this.port.calls++
      try {
        // One that is not the engine's own may never get that far.
        promised(result).then(slot.ok, slot.err)
      } catch (error) {
        slot.err(error)
      }
      return
    }
    slot.result = result
    slot.state = 'ready'
    if (!this.#inOrder) this.#append(slot)
  }

  #append(slot: Slot<In, R>): void {
    if (this.#first === undefined) this.#first = slot
    else this.#last!.next = slot
    this.#last = slot
  }

  /** The call of a slot has come back. */
  settled(slot: Slot<In, R>): void {
    const { port } = this
    // In order by keys, there may be values before it whose calls have not begun.
    if (slot.state === 'failed' && this.family.decided === undefined && !(this.#by && this.#inOrder)) {
      this.#culprit ??= slot
      port.failing(slot.result, { value: slot.value })
    }
    if (!this.#inOrder) this.#append(slot)
    let goesOn = false
    // One that threw may be of a step, which reads the input itself.
    while (slot.state === 'ready' && this.#mayGoOn) {
      const next = this.#slot(port.take())
      this.#invoke(next)
      // Where one result comes at once, so may those after it: then a step is faster.
      goesOn = this.#follows = next.state === 'pending'
    }
    if (goesOn && this.#gathering && !port.left) port.calls--
    else {
      if (goesOn) this.#gathering = settled(this.#gathered)
      port.callEnded()
    }
  }

  /** Whether there is a value to call for now, with all results that have come on their way: there is room for them. */
  get #mayGoOn(): boolean {
    if (!this.#follows || this.#culprit !== undefined) return false
    let next = this.#lastReady === undefined ? this.#first : this.#lastReady.next
    for (; next?.state === 'ready'; next = next.next) {
      this.#lastReady = next
      this.#ready++
      if (next.result !== SKIPPED) this.#worth += this.family.worth!(next)
    }
    const ready = this.#ready
    return this.#used - ready < this.#concurrency && ready < MOST && this.port.mayTake(this.#worth)
  }

  readonly #gathered = (): void => {
    this.#gathering = false
    if (this.#first?.state !== 'pending') this.port.wake()
  }

  /** All of a slot has been put out: whoever waited for that, having the same key, goes next. */
  #follow(slot: Slot<In, R>): void {
    if (this.#by === undefined || this.#culprit !== undefined || this.port.left) return
    const { follower } = slot
    slot.follower = undefined
    if (follower !== undefined) this.#invoke(follower)
    else this.#lastOfKey!.delete(slot.key)
  }

  #drain(): void {
    const { port } = this
    this.#lastReady = undefined
    this.#ready = this.#worth = 0
    for (let slot = this.#first; slot !== undefined && slot.state !== 'pending'; slot = this.#first) {
      if (slot.state === 'failed' && !this.family.decided) {
        if (slot === this.#culprit || this.#inOrder) return port.fail(slot.result, { value: slot.value })
      } else if ((slot.result !== SKIPPED || this.family.decided) && !this.#emit(slot)) {
        // It may wait again, and not for room.
        if (this.#inOrder || (slot.state as Slot<In, R>['state']) !== 'pending') return
        this.#shift()
        continue
      }
      this.#shift()
      this.#used--
      slot.state = 'pending'
      slot.value = slot.result = slot.rest = undefined as never
      this.#unused.push(slot)
      this.#follow(slot)
    }
  }

  #emit(slot: Slot<In, R>): boolean {
    try {
      return this.family.emit(this.port, slot)
    } catch (error) {
      this.break(slot, error)
      return false
    }
  }

  /** What a call gave has failed while it was put out: there is no calling it again, but `onError` applies. */
  break(slot: Slot<In, R>, error: unknown): void {
    slot.state = 'pending'
    this.await(slot, recover<In, R>(this.port, this.call, error, slot.value, 1))
  }

  #shift(): void {
    const slot = this.#first!
    this.#first = slot.next
    slot.next = undefined
  }
}
