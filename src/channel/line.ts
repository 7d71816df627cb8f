/**
 * Who stands in line at one side of a channel: a doubly linked list that runs through its members, so that joining and
 * leaving are constant time, wherever in the line, and allocate nothing.
 */
interface Member<Self> {
  prev?: Self | undefined
  next?: Self | undefined
}

export class Line<T extends Member<T>> {
  head: T | undefined
  #last: T | undefined

  add(member: T): void {
    const last = this.#last
    member.next = undefined
    member.prev = last
    if (last) last.next = member
    else this.head = member
    this.#last = member
  }

  /** It must stand here. It still knows who was behind it, so that a loop over the line goes on. */
  delete({ prev, next }: T): void {
    if (prev) prev.next = next
    else this.head = next
    if (next) next.prev = prev
    else this.#last = prev
  }

  /** Everyone in line, in order. */
  *[Symbol.iterator](): Generator<T> {
    for (let member = this.head; member; member = member.next) yield member
  }
}
