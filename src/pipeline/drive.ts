/**
 * Driving a kernel: the hot half of a task.
 *
 * A step is one or more turns. A turn shows the kernel the chunk at the head of the input and the free slots behind the
 * output, lets it run, and hands on what it wrote. A kernel that puts out no more than it reads writes over its input
 * where the output is empty: then the two channels exchange their arrays, and nothing is copied or cleared.
 *
 * Where values are cheap, the price of a turn is what a stage costs. So whoever reads is woken late: when the channel
 * cannot take as much again, or when nothing else is left to do (scheduler.ts). A filter that lets every second value
 * through thus fills its channel before the stage behind it has a turn (bench: cheap-stages, a third of the turns less).
 */
import type { Core } from '../channel/core.ts'
import type { Context } from './context.ts'
import { arrived, listen, parkReader, parkWriter, room, roomOneByOne, skip } from './edge.ts'
import type { Scope } from './builtin.ts'
import type { Meter } from './meter.ts'
import { BRISK, CALL, schedule, type Steppable, tired } from './scheduler.ts'
import type { CallFailure, Chain, Culprit, Definition, Ends, Kernel, Port } from './stage.ts'

const FIRST_QUANTUM = 16
/** What a task that does not run has before it. It is as generic as the arrays of chunks. */
const NOTHING: unknown[] = [undefined]

export abstract class Driven implements Steppable, Port<unknown, unknown> {
  queued = false
  quantum = FIRST_QUANTUM
  instant = false

  items = NOTHING
  at = 0
  end = 0
  out = NOTHING
  count = 0
  room = 0
  held = false
  full = false
  blocked = false
  replaces = false
  calls = 0
  received = 0
  sent = 0
  left = true
  /** The kernel has come to its end. */
  protected finishing = true
  // Where it began to read and to write in this turn, and whether what it writes stands where it has read.
  #from = 0
  #to = 0
  #inPlace = false
  /** How many values it has read and written. */
  #handled = 0
  /** No more input will come. */
  #ended = false

  abstract readonly context: Context
  abstract readonly kernel: Kernel<unknown, unknown> | undefined
  /** Whether other tasks write to its output as well. */
  abstract readonly shares: boolean
  /** What it spends its time on. */
  abstract readonly meter: Meter

  constructor(
    readonly input: Core<unknown> | undefined,
    readonly output: Core<unknown> | undefined,
    readonly scope: Scope | undefined,
  ) {
    // Written again, as the engine takes a field for constant until it is. The end of the first run of a process would have
    // all that reads these compiled anew (1,000,000 cheap values in a second run: 60 → 40 ms).
    this.left = this.finishing = false
  }

  abstract attach(definitions: readonly Definition[], ends: Ends): Chain
  abstract wake(): void
  abstract finish(): void
  abstract fail(error: unknown, culprit?: Culprit): void
  abstract failing(error: unknown, culprit?: Culprit): void
  abstract skipped(failure: CallFailure<unknown>): boolean
  abstract handlerFailure(thrown: unknown, handled: unknown): unknown
  abstract callEnded(): void
  abstract cancel(): void
  /** All input has come and been dealt with. */
  protected abstract atEnd(): void
  /** The kernel has come to its end, and all it had is put out. */
  protected abstract close(): void

  get brisk(): boolean {
    return this.quantum >= BRISK
  }

  get stock(): number {
    return this.input?.buffer.length ?? 0
  }

  mayTake(worth: number): boolean {
    const { input, output } = this
    if (this.left || !this.instant || this.stock === 0 || input!.capacity === 0) return false
    const space = output === undefined ? Infinity : output.accepting ? room(output) : -1
    // Both may be `Infinity`.
    if (!(space - worth >= 0)) return false
    // What it takes from here on may cost far more than before: then the next step is timed.
    return (this.instant = !tired(CALL))
  }

  take(): unknown {
    const input = this.input!
    const value = input.buffer.shift()
    this.received++
    if (input.writerParked || input.writers.head !== undefined) (this.#tellRoom ??= roomOneByOne(input))()
    return value
  }
  #tellRoom: (() => void) | undefined

  step(): void {
    const until = this.#handled + this.quantum
    // Chunk by chunk, before whoever wrote them goes on: else what was cut small once would stay so.
    while (!this.left && this.#turn() && this.#handled < until && this.#goesOn() && !tired(0));
    // The channels may have other arrays when it runs again, and these keep alive what they hold.
    this.items = this.out = NOTHING
    if (!this.left && this.finishing && !this.full) this.close()
    else if (!this.left) this.#whatNext()
    const { output } = this
    // Others may wait for the room that it has left, be it for good.
    if (output?.writerParked && room(output) > 0) output.wakeWriter()
  }

  /** Whether there is something to read, and room for it. */
  #goesOn(): boolean {
    const { output } = this
    if (this.left || this.finishing || this.held || this.full) return false
    return this.stock > 0 && (output === undefined || room(output) > 0)
  }

  /** Runs the kernel once. Says whether it has read all it was shown. */
  #turn(): boolean {
    const kernel = this.kernel!
    const { input, output } = this
    let until = 0
    let replaces = false
    if (output !== undefined && !output.accepting) {
      this.cancel()
      return false
    }
    const space = output === undefined ? this.quantum : Math.max(0, Math.min(room(output), this.quantum))
    if (input !== undefined) {
      const { items, start, end } = input.buffer.head
      this.items = items
      this.at = this.#from = start
      this.end = until = Math.min(end, start + this.quantum)
      replaces =
        this.replaces &&
        until === end &&
        end - start <= space &&
        output !== undefined &&
        output.buffer.length === 0
    }
    this.#inPlace = replaces
    if (replaces) {
      this.out = this.items
      this.count = this.#to = this.#from
      this.room = until
    } else if (output !== undefined) this.openOutput(space)
    this.held = this.full = this.blocked = false
    let whole = false
    this.#ended = false
    try {
      kernel.run(this)
      if (this.left) return false
      whole = this.at === until
      this.handOver()
      this.#ended = input !== undefined && input.ended
      if (this.#ended && !this.held && !this.full && !this.finishing && !kernel.pending) this.atEnd()
    } catch (error) {
      // The value that did it has come in.
      this.fail(error, this.at < this.end ? { value: this.items[this.at++] } : undefined)
    }
    return whole
  }

  /** Lets the kernel write as many values behind the output. */
  protected openOutput(space: number): void {
    const { items, end } = this.output!.buffer.open(space)
    this.#inPlace = false
    this.out = items
    this.count = this.#to = end
    this.room = Math.min(end + space, items.length)
  }

  /** Hands on what the kernel wrote, then gives back the room of what it read. */
  protected handOver(): void {
    const { input, output } = this
    const count = this.count - this.#to
    const read = this.at - this.#from
    this.#handled += read + count
    this.received += read
    const exchanges = this.#inPlace && this.#exchange(count)
    if (count > 0 && output !== undefined) {
      this.sent += count
      if (!this.#inPlace) output.buffer.wrote(this.#to, this.count)
      arrived(output, count, this.brisk)
    }
    this.#from = this.end = this.at
    this.#to = this.count
    if (input === undefined || read === 0) return
    const rest = input.buffer.length - (exchanges ? 0 : read)
    if (exchanges) input.roomMade()
    else skip(input, read)
    // What came into the room just made has arrived too.
    if (input.buffer.length > rest && this.kernel!.eager) schedule(this)
  }

  /** Moves what was written over the input to the output. Says whether that took what was read with it. */
  #exchange(count: number): boolean {
    const { buffer } = this.output!
    if (this.at === this.input!.buffer.head.end && buffer.length === 0) {
      if (count === 0) return false
      buffer.exchange(this.input!.buffer, count)
      return true
    }
    // It has not come to the end, or the user's function has sent to its own input.
    buffer.append(this.out, this.#to, this.count)
    return false
  }

  #whatNext(): void {
    const { input, output } = this
    const kernel = this.kernel!
    const { eager } = kernel
    const blocked = output !== undefined && room(output) <= 0
    if (this.full && output !== undefined) {
      if (!blocked) return schedule(this)
      parkWriter(output, this)
    }
    if (this.held || (this.#ended && kernel.pending)) {
      // A sink that is not through at its end is full as well.
      const waits = this.blocked || (this.full && output !== undefined)
      // What an eager kernel holds back lets more in, as long as there is room.
      const could = eager && room(input!) > 0
      this.meter.doing = waits ? 'output' : input === undefined ? 'input' : could ? 'called' : 'busy'
      if (eager) listen(input!)
    } else if (input !== undefined && input.buffer.length === 0 && !this.#ended) {
      this.meter.doing = this.full ? 'output' : this.calls > 0 || kernel.pending ? 'called' : 'input'
      parkReader(input)
    } else if (blocked && !((kernel.ahead || eager) && this.stock > 0)) {
      this.meter.doing = 'output'
      parkWriter(output, this)
    } else schedule(this)
  }
}
