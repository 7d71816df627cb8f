/**
 * A doubly linked ring that runs through its members: joining and leaving are constant time and allocate nothing.
 * A link alone is a ring of one; leaving twice does no harm. A queue is a link that stands for nobody.
 */
export class Link {
  prev: Link = this
  next: Link = this

  /** Joins the end of the ring that begins at `queue`. */
  join(queue: Link): void {
    const last = queue.prev
    this.prev = last
    this.next = queue
    last.next = queue.prev = this
  }

  leave(): void {
    this.prev.next = this.next
    this.next.prev = this.prev
    this.prev = this.next = this
  }
}

export class Queue<Member extends Link> extends Link {
  get head(): Member | undefined {
    return this.next === this ? undefined : (this.next as Member)
  }

  /** Everyone in line, in order. */
  *[Symbol.iterator](): Generator<Member> {
    for (let link = this.next; link !== this; link = link.next) yield link as Member
  }
}
