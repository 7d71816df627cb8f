/** Unpacks Zstandard frame by frame: Node reads the first of several, as `cat` and `pzstd` put them together, and drops the rest. */
import { Transform, type TransformCallback } from 'node:stream'

/** As Node makes it: `bytesWritten` are the packed bytes that it has used. */
type Unpacker = Transform & { bytesWritten: number }

export class ZstdFrames extends Transform {
  /** The one that is fed, and the one whose bytes come out: they may still do so when another is to be next. */
  #frame: Unpacker | undefined
  #reading: Unpacker | undefined

  constructor(readonly unpacker: () => Transform) {
    super()
  }

  override _transform(packed: Buffer, encoding: BufferEncoding, done: TransformCallback): void {
    const frame = (this.#reading = this.#frame ??= this.#open())
    const before = frame.bytesWritten
    frame.write(packed, (error) => {
      // It is told by the event.
      if (error) return
      const rest = packed.subarray(frame.bytesWritten - before)
      if (rest.length === 0) return done()
      // What is left belongs to the next frame, and comes behind all of this one.
      this.#frame = undefined
      const next = (): void => this._transform(rest, encoding, done)
      if (frame.readableEnded) next()
      else frame.once('end', next)
    })
  }

  #open(): Unpacker {
    const frame = this.unpacker() as Unpacker
    frame.on('data', (bytes: Buffer) => {
      if (!this.push(bytes)) frame.pause()
    })
    frame.on('error', (error) => this.destroy(error))
    return frame
  }

  override _read(size: number): void {
    this.#reading?.resume()
    super._read(size)
  }

  override _flush(done: TransformCallback): void {
    if (this.#frame === undefined) return done()
    this.#frame.once('end', () => done()).end()
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#reading?.destroy()
    done(error)
  }
}
