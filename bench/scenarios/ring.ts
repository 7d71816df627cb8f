// The least that a bounded queue can be: a ring in an array.

export class Ring {
  private readonly items: (number | undefined)[]
  private head = 0
  private size = 0

  constructor(private readonly capacity: number) {
    this.items = new Array<number | undefined>(capacity).fill(undefined)
  }

  /** Says no when it is full. */
  push(value: number): boolean {
    if (this.size === this.capacity) return false
    const end = this.head + this.size++
    this.items[end < this.capacity ? end : end - this.capacity] = value
    return true
  }

  shift(): number | undefined {
    if (this.size === 0) return undefined
    const value = this.items[this.head]
    this.items[this.head] = undefined
    this.head = this.head + 1 === this.capacity ? 0 : this.head + 1
    this.size--
    return value
  }
}
