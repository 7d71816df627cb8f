/**
 * Standing in for the `write` of a stream, and giving it back as it was.
 *
 * Somebody else may have put a `write` of his own on top meanwhile. Then it is left in place: ours is called by his, and
 * passes on what it gets. Whoever taps the stream again when his is gone finds ours and uses it anew.
 */

/** As far as a stream is needed here. */
export interface Writes {
  write(...args: never[]): unknown
}

/** What is done with a call: `forward` makes it. */
export type Handler = (args: readonly unknown[], forward: () => unknown) => unknown

type Write = (...args: unknown[]) => unknown

interface Standing {
  handler: Handler | undefined
  readonly original: Write
  /** The property that was there; of most streams it is the class that has it. */
  readonly before: PropertyDescriptor | undefined
}
/** What stands in for a `write`. */
const standIns = /* @__PURE__ */ new WeakMap<Write, Standing>()

export class Tap {
  readonly #stream: { write: Write }
  readonly #standing: Standing

  constructor(stream: Writes, handler: Handler) {
    this.#stream = stream as unknown as { write: Write }
    this.#standing = standIns.get(this.#stream.write) ?? standIn(this.#stream)
    this.#standing.handler = handler
  }

  /** Writes past the handler. */
  write(text: string): void {
    Reflect.apply(this.#standing.original, this.#stream, [text])
  }

  release(): void {
    const { before } = this.#standing
    this.#standing.handler = undefined
    if (standIns.get(this.#stream.write) !== this.#standing) return
    if (before) Object.defineProperty(this.#stream, 'write', before)
    else Reflect.deleteProperty(this.#stream, 'write')
  }
}

function standIn(stream: { write: Write }): Standing {
  const before = Object.getOwnPropertyDescriptor(stream, 'write')
  const standing: Standing = { handler: undefined, original: stream.write, before }
  const value = function (this: unknown, ...args: unknown[]): unknown {
    const forward = (): unknown => Reflect.apply(standing.original, this, args)
    return standing.handler ? standing.handler(args, forward) : forward()
  }
  standIns.set(value, standing)
  Object.defineProperty(stream, 'write', { value, writable: true, configurable: true, enumerable: true })
  return standing
}
