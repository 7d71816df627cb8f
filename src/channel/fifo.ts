/**
 * The values that the program's own channels hold: a ring in an array, which doubles when it is full. Its size is a
 * power of two, so that a place is found by masking. (The edges of a pipeline move values in bulk, see buffer.ts.)
 *
 * Rejected: two stacks that change places, as arrays that are popped shrink and have to grow again.
 */
export class Fifo<T> {
  length = 0
  #first = 0
  #items: T[] = [undefined as T]

  push(value: T): void {
    if (this.length === this.#items.length) this.#grow()
    const items = this.#items
    items[(this.#first + this.length++) & (items.length - 1)] = value
  }

  #grow(): void {
    const items = this.#items.splice(this.#first).concat(this.#items)
    while (items.length < 2 * this.length) items.push(undefined as T)
    this.#first = 0
    this.#items = items
  }

  /** Takes the oldest value. There must be one. */
  shift(): T {
    const items = this.#items
    const first = this.#first
    const value = items[first]
    items[first] = undefined as T
    this.#first = (first + 1) & (items.length - 1)
    this.length--
    return value
  }
}
