/**
 * A doubly linked ring that runs through its members: joining and leaving are constant time and allocate nothing.
 * A link alone is a ring of one; a queue is a link that stands for "nobody", its `next` is the head.
 */
export class Link {
  prev: Link = this
  next: Link = this

  /** Joins the end of the ring that begins at `head`. */
  join(head: Link): void {
    const last = head.prev
    this.prev = last
    this.next = head
    last.next = head.prev = this
  }

  leave(): void {
    this.prev.next = this.next
    this.next.prev = this.prev
    this.prev = this.next = this
  }
}
