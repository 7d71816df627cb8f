/**
 * The values that the program's own channels hold: a queue of two stacks, one to push to and one to pop from. When the
 * second is empty, the first is turned round and they change places: constant time on the average, and the fastest
 * that arrays do. (The edges of a pipeline move values in bulk, see buffer.ts.)
 */
export class Fifo<T> {
  #newer: T[] = []
  /** The next one to come out is the last. */
  #older: T[] = []

  get length(): number {
    return this.#newer.length + this.#older.length
  }

  push(value: T): void {
    this.#newer.push(value)
  }

  /** Takes the oldest value. There must be one. */
  shift(): T {
    if (this.#older.length === 0) {
      const turned = this.#newer.reverse()
      this.#newer = this.#older
      this.#older = turned
    }
    return this.#older.pop() as T
  }
}
