/**
 * Unpacks what is packed in several parts, one after the other. Node reads the first part of Zstandard and drops the rest; of
 * gzip it reads all, but where something else follows the last part, it drops what it had unpacked just then.
 */
import { Transform, type TransformCallback } from 'node:stream'

/** As Node makes it: `bytesWritten` are the packed bytes that it has used. */
type Unpacker = Transform & { bytesWritten: number }

const cutOff = (): Error => new Error('unexpected end of file')

export class Frames extends Transform {
  /** The one that is fed, and the one whose bytes come out: they may still do so when another is to be next. */
  #frame: Unpacker | undefined
  #reading: Unpacker | undefined
  /** How many bytes may come out: what comes of a byte that is not of the file is nobody's. */
  #left = Infinity

  constructor(readonly unpacker: () => Transform) {
    super()
  }

  /** Whether the unpacker, when it is ended, does not tell that the part has no end. */
  protected readonly probes: boolean = false

  /** Takes what is in front of a part. Gives what follows; `undefined`: there has to come more first, or nothing of it is a part. */
  protected begin(packed: Buffer): Buffer | undefined {
    return packed
  }

  /** Hears what comes out of a part. */
  protected unpacked(_bytes: Buffer): void {}

  /** All of a part has come out. */
  protected ended(): void {}

  /** No more comes: throws where a part has begun that has no end. */
  protected finish(): void {}

  override _transform(packed: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#feed(packed, done)
  }

  #feed(packed: Buffer, done: TransformCallback): void {
    let body: Buffer | undefined = packed
    if (this.#frame === undefined) {
      try {
        body = this.begin(packed)
      } catch (error) {
        return done(error as Error)
      }
      if (body === undefined) return done()
    }
    const bytes = body
    const frame = (this.#reading = this.#frame ??= this.#open())
    const before = frame.bytesWritten
    frame.write(bytes, (error) => {
      // It is told by the event.
      if (error) return
      const rest = bytes.subarray(frame.bytesWritten - before)
      if (rest.length === 0) return done()
      // What is left belongs to the next frame, and comes behind all of this one.
      this.#frame = undefined
      const next = (): void => {
        this.ended()
        this.#feed(rest, done)
      }
      if (frame.readableEnded) next()
      else frame.once('end', next)
    })
  }

  #open(): Unpacker {
    const frame = this.unpacker() as Unpacker
    frame.on('data', (all: Buffer) => {
      const bytes = all.subarray(0, this.#left)
      this.#left -= bytes.length
      this.unpacked(bytes)
      if (!this.push(bytes)) frame.pause()
    })
    // Only the byte that is not of the file can be wrong while `#probe` looks: what came before it was used.
    frame.on('error', (error) => this.destroy(this.#left === Infinity ? error : cutOff()))
    return frame
  }

  override _read(size: number): void {
    this.#reading?.resume()
    super._read(size)
  }

  override _flush(done: TransformCallback): void {
    const finish = (): void => {
      try {
        this.finish()
        done()
      } catch (error) {
        done(error as Error)
      }
    }
    const frame = this.#frame
    if (frame === undefined) return finish()
    if (this.probes) return this.#probe(frame, done)
    frame
      .once('end', () => {
        this.ended()
        finish()
      })
      .end()
  }

  /** Of a part that is whole, the unpacker leaves a byte behind it alone. */
  #probe(frame: Unpacker, done: TransformCallback): void {
    this.#left = frame.readableLength
    const before = frame.bytesWritten
    frame.write(Buffer.of(0), (error) => {
      if (error) return
      if (frame.bytesWritten > before) return done(cutOff())
      if (frame.readableEnded) done()
      else frame.once('end', () => done())
    })
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#reading?.destroy()
    done(error)
  }
}
