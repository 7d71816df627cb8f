/**
 * The values a channel holds: a first-in-first-out list of chunks.
 *
 * Two kinds of use share it. Handles push and shift one value at a time; pipeline stages read the head chunk in
 * place and link whole chunks that they filled, so a value crosses an edge without being copied.
 *
 * - `head.start === head.end` only when the buffer is empty.
 * - Nobody but the reader touches `head` below `end`, nobody but the writer a chunk before it is linked.
 * - Drained chunks are reused. Arrays never shrink, since `length = k` costs more than all else here.
 *
 * Rejected: a ring (a bulk move copies each value twice per edge), and one array with `shift` (linear).
 */
export interface Chunk<T> {
  items: T[]
  start: number
  end: number
  next: Chunk<T> | undefined
}

/** How many values single pushes put in one chunk. */
const CHUNK = 256
/** Chunks up to this size are copied behind the tail instead of being linked. */
const SMALL = 16

export function newChunk<T>(): Chunk<T> {
  // The element makes V8 keep the array generic from the start: every loop sees one kind of array.
  return { items: [undefined as T], start: 0, end: 0, next: undefined }
}

/** Gives a chunk as many slots: a loop over it that lets the array grow is slower for good. */
export function stretch<T>({ items }: Chunk<T>, slots: number): T[] {
  while (items.length < slots) items.push(undefined as T)
  return items
}

/** Forgets values that were read: nothing is kept alive by a slot that nobody will look at. A loop beats `fill`. */
export function clear(items: unknown[], from: number, to: number): void {
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
    if (tail.end >= CHUNK) tail = this.#link(this.blank())
    tail.items[tail.end++] = value
    this.length++
  }

  /** Takes the oldest value. The buffer must not be empty. */
  shift(): T {
    const head = this.head
    const value = head.items[head.start]
    this.skip(1)
    return value
  }

  /** Gives up the first `count` values of the head chunk: they have been read in place. */
  skip(count: number): void {
    const head = this.head
    clear(head.items, head.start, (head.start += count))
    this.length -= count
    if (head.start < head.end) return
    head.start = head.end = 0
    if (head.next === undefined) return
    this.head = head.next
    head.next = undefined
    this.#spare = head
  }

  /** Gives away the head chunk, all of which has been read, for an empty one. */
  trade(blank: Chunk<T>): Chunk<T> {
    const head = this.head
    this.length -= head.end - head.start
    if (head.next === undefined) this.head = this.#tail = blank
    else {
      this.head = head.next
      head.next = undefined
      this.#spare = blank
    }
    return head
  }

  /** An empty chunk to fill. */
  blank(): Chunk<T> {
    const chunk = this.#spare
    if (chunk === undefined) return newChunk()
    this.#spare = undefined
    return chunk
  }

  /** Takes over a chunk with at least one value. */
  append(chunk: Chunk<T>): void {
    const tail = this.#tail
    const { start, end } = chunk
    const count = end - start
    if (count <= SMALL && tail.end + count <= CHUNK) {
      for (let i = start; i < end; i++) tail.items[tail.end++] = chunk.items[i]
      clear(chunk.items, start, end)
      chunk.start = chunk.end = 0
      this.#spare = chunk
    } else {
      this.#link(chunk)
      if (this.length === 0) {
        this.head = chunk
        this.#spare = tail
      }
    }
    this.length += count
  }

  #link(chunk: Chunk<T>): Chunk<T> {
    if (this.length > 0) this.#tail.next = chunk
    return (this.#tail = chunk)
  }
}
