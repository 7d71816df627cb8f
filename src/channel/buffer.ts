/**
 * The values a channel holds: a first-in-first-out list of chunks.
 *
 * Two kinds of use share it. Handles push and shift one value at a time. Pipeline stages read the head chunk in place
 * and write behind the end of the tail, whole runs of values at a time; a stage that puts out no more than it reads
 * writes over its input, and the two channels exchange their arrays.
 *
 * - `head.start === head.end` only when the buffer is empty; then the head is the tail, and begins at 0.
 * - Nobody but the reader touches a chunk below its `end`, nobody but the writer the tail from there on.
 * - A slot that was read is cleared: it keeps nothing alive. Arrays never shrink, since `length = k` costs more than all
 *   else here.
 *
 * Rejected: a ring (a bulk move is cut in two at its end, and each value is copied twice per edge), one array with
 * `shift` (linear), and chunks that are filled apart and linked (a chunk to allocate, clear and link at each hop).
 */
export interface Chunk<T> {
  items: T[]
  start: number
  end: number
  next: Chunk<T> | undefined
}

/** How many values one chunk holds. */
const CHUNK = 256
/** How many it has slots for, as long as it has not held more. */
const sizes = [4, 16, 64, CHUNK]

function newChunk<T>(): Chunk<T> {
  // The element makes V8 keep the array generic from the start: every loop sees one kind of array.
  return { items: [undefined as T], start: 0, end: 0, next: undefined }
}

/** Spread, since an array made by its length counts as one with holes, which every loop over a copy would look for. */
const EMPTY: readonly undefined[] = /* @__PURE__ */ (() => [...new Array<undefined>(CHUNK)])()

/** A copy with at least as many slots. A loop over an array that grows meanwhile is slower for good. */
function grown<T>(items: readonly T[], slots: number): T[] {
  const longer = EMPTY.slice(
    0,
    sizes.find((size) => size >= slots),
  ) as T[]
  for (let i = 0; i < items.length; i++) longer[i] = items[i]
  return longer
}

/** Forgets values that were read. A loop beats `fill`. */
function clear(items: unknown[], from: number, to: number): void {
  let i = from
  for (; i + 3 < to; i += 4) items[i] = items[i + 1] = items[i + 2] = items[i + 3] = undefined
  for (; i < to; i++) items[i] = undefined
}

export class Buffer<T> {
  length = 0
  head: Chunk<T> = newChunk()
  #tail: Chunk<T> = this.head
  #spare: Chunk<T> | undefined

  push(value: T): void {
    let tail = this.#tail
    if (tail.end >= tail.items.length) tail = this.open(1)
    tail.items[tail.end++] = value
    this.length++
  }

  /** Copies the values of `items` from `from` up to `to`. */
  append(items: readonly T[], from: number, to: number): void {
    this.length += to - from
    while (from < to) {
      const tail = this.open(to - from)
      const end = Math.min(tail.items.length, tail.end + to - from)
      for (let i = tail.end; i < end; i++) tail.items[i] = items[from++]
      tail.end = end
    }
  }

  /** Takes the oldest value. The buffer must not be empty. */
  shift(): T {
    const { head } = this
    const { items, start } = head
    const value = items[start]
    items[start] = undefined as T
    head.start = start + 1
    this.length--
    if (start + 1 === head.end) this.#advance()
    return value
  }

  /** Gives up the first `count` values of the head chunk: they have been read in place. */
  skip(count: number): void {
    const { head } = this
    clear(head.items, head.start, head.start + count)
    this.#pass(count)
  }

  #pass(count: number): void {
    const { head } = this
    head.start += count
    this.length -= count
    if (head.start === head.end) this.#advance()
  }

  /** All of the head chunk has been read. */
  #advance(): void {
    const { head } = this
    head.start = head.end = 0
    if (head.next === undefined) return
    this.head = head.next
    head.next = undefined
    this.#spare = head
  }

  /** The chunk to write to, from its `end` on: it has slots for `wanted` more, or as many as a chunk has. */
  open(wanted: number): Chunk<T> {
    let tail = this.#tail
    if (tail.end >= CHUNK) {
      tail.next = this.#spare ?? newChunk()
      this.#spare = undefined
      this.#tail = tail = tail.next
    }
    const slots = Math.min(tail.end + wanted, CHUNK)
    if (tail.items.length < slots) tail.items = grown(tail.items, slots)
    return tail
  }

  /** Values were written to the open chunk from `from`, where it ended, up to `to`. */
  wrote(from: number, to: number): void {
    const tail = this.#tail
    // Meanwhile all before them may have been read.
    if (tail.start === tail.end) tail.start = from
    tail.end = to
    this.length += to - from
  }

  /**
   * All of `input`'s head chunk has been read, and the first `count` of its values were written over: takes them. Must be
   * empty.
   */
  exchange(input: Buffer<T>, count: number): void {
    const { head } = this
    const { items, start, end } = input.head
    input.head.items = head.items
    head.items = items
    head.start = start
    head.end = start + count
    this.length = count
    clear(items, head.end, end)
    input.#pass(end - start)
  }
}
