/**
 * The values that the program's own channels hold: an array that is read from its front on. It begins anew when it is
 * empty, and is cut off where more has been read than is left, so that a value costs constant time on the average.
 * (The edges of a pipeline move values in bulk, see buffer.ts.)
 *
 * Rejected: a ring that doubles (as fast, and twice the code); two stacks that change places (arrays that are popped
 * shrink and have to grow again).
 */
export class Fifo<T> {
  length = 0
  #items: T[] = []
  #first = 0

  push(value: T): void {
    this.#items[this.#first + this.length++] = value
  }

  /** Takes the oldest value. There must be one. */
  shift(): T {
    const items = this.#items
    const value = items[this.#first]
    // A number keeps nothing alive; and an array of nothing else stays one, which is read a tenth faster.
    if (typeof value !== 'number') items[this.#first] = undefined as T
    this.#first++
    if (--this.length === 0) this.#first = 0
    else if (this.#first > CUT && this.#first > this.length) {
      items.splice(0, this.#first)
      this.#first = 0
    }
    return value
  }
}

/** How many read slots are worth cutting off. */
const CUT = 255
