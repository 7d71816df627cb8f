/** Unpacks gzip, RFC 1952, member by member. */
import * as zlib from 'node:zlib'
import { Frames } from './frames.ts'

const NONE = Buffer.alloc(0)
/** A header has this length at least: the rest of it is optional. */
const FIXED = 10
/** Check and length of what was packed. */
const TRAILER = 8

/** Members of up to so many bytes are unpacked together, so many bytes at most: an unpacker for each would take 50 times as long. */
const SMALL = 16 * 1024
const TOGETHER = 1024 * 1024
/** How a member begins. */
const MAGIC = Buffer.from([0x1f, 0x8b, 8])

const [HAS_CHECK, HAS_EXTRA, HAS_NAME, HAS_COMMENT] = [2, 4, 8, 16]

export class GzipMembers extends Frames {
  /** What has come of a trailer or a header. */
  #kept: Buffer = NONE
  /** What the trailer of a member that is through has to say. */
  #due: { check: number; length: number } | undefined
  #check = 0
  #length = 0
  #count = 0
  /** Zeros fill up the last block of a tape: they and what follows them are no member. */
  #over = false

  constructor() {
    super(() => zlib.createInflateRaw({ chunkSize: 64 * 1024 }))
  }

  protected override begin(packed: Buffer): Buffer | undefined {
    if (this.#over) return undefined
    let bytes = this.#kept.length > 0 ? Buffer.concat([this.#kept, packed]) : packed
    this.#kept = bytes
    if (this.#due) {
      if (bytes.length < TRAILER) return undefined
      const { check, length } = this.#due
      if (bytes.readUInt32LE(0) !== check) throw new Error('incorrect data check')
      if (bytes.readUInt32LE(4) !== length) throw new Error('incorrect length check')
      this.#due = undefined
      this.#kept = bytes = bytes.subarray(TRAILER)
    }
    const small = smallMembers(bytes)
    if (small) {
      this.#count++
      this.push(small.unpacked)
      this.#kept = bytes = small.rest
    }
    this.#over = this.#count > 0 && bytes[0] === 0
    if (this.#over) this.#kept = NONE
    const body = this.#over ? undefined : headerLength(bytes)
    if (body === undefined) return undefined
    this.#kept = NONE
    this.#check = this.#length = 0
    this.#count++
    return bytes.subarray(body)
  }

  protected override unpacked(bytes: Buffer): void {
    this.#check = zlib.crc32(bytes, this.#check)
    this.#length = (this.#length + bytes.length) % 2 ** 32
  }

  protected override ended(): void {
    this.#due = { check: this.#check, length: this.#length }
  }

  protected override finish(): void {
    if (this.#due || this.#kept.length > 0) throw new Error('unexpected end of file')
  }
}

/** Unpacks as many small members as are there as a whole; not the last one, for which nothing tells that. */
function smallMembers(packed: Buffer): { unpacked: Buffer; rest: Buffer } | undefined {
  let end = packed.length
  while ((end = packed.lastIndexOf(MAGIC, end - 1)) > TRAILER) {
    // What ends there tells its length, unless it only looks like an end.
    if (packed.readUInt32LE(end - 4) > SMALL) continue
    const unpacked = unpackedWhole(packed.subarray(0, end))
    if (unpacked) return { unpacked, rest: packed.subarray(end) }
    end >>= 1
  }
  return undefined
}

/** `undefined`: there is more, or something else. */
function unpackedWhole(packed: Buffer): Buffer | undefined {
  try {
    const options = { chunkSize: 64 * 1024, maxOutputLength: TOGETHER, info: true }
    // TypeScript is not told of `info`.
    const { buffer, engine } = zlib.gunzipSync(packed, options) as unknown as Unpacked
    return engine.bytesWritten === packed.length ? buffer : undefined
  } catch {
    // Member by member, it will be told what is wrong, behind what is right.
    return undefined
  }
}

interface Unpacked {
  buffer: Buffer
  engine: { bytesWritten: number }
}

/** `undefined`: there has to come more. */
function headerLength(bytes: Buffer): number | undefined {
  const [first = 0x1f, second = 0x8b, method = 8, flags = 0] = bytes
  if (first !== 0x1f || second !== 0x8b) throw new Error('incorrect header check')
  if (method !== 8) throw new Error('unknown compression method')
  if (flags > 31) throw new Error('unknown header flags set')
  if (bytes.length < FIXED) return undefined
  let at = FIXED
  if (flags & HAS_EXTRA) {
    if (bytes.length < at + 2) return undefined
    at += 2 + bytes.readUInt16LE(at)
  }
  for (const text of [HAS_NAME, HAS_COMMENT]) {
    if (!(flags & text)) continue
    const end = bytes.indexOf(0, at)
    if (end < 0) return undefined
    at = end + 1
  }
  if (flags & HAS_CHECK) at += 2
  return at <= bytes.length ? at : undefined
}
