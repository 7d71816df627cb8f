/** Files that are packed: told by the ending of their name. */
import type { Readable, Transform } from 'node:stream'
import * as zlib from 'node:zlib'
import { BrotliPart } from './brotli-part.ts'
import { GzipMembers } from './gzip-members.ts'
import { ZstdFrames } from './zstd-frames.ts'

interface Packing {
  pack: (() => Transform) | undefined
  unpack: (() => Transform) | undefined
}

/** Zstandard is there from Node 22.15 on. */
const zstd = zlib as { createZstdCompress?: () => Transform; createZstdDecompress?: () => Transform }

const packings: Record<string, Packing> = {
  '.gz': { pack: () => zlib.createGzip(), unpack: () => new GzipMembers() },
  // The highest quality, which is the default, takes a hundred times as long.
  '.br': {
    pack: () => zlib.createBrotliCompress({ params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 5 } }),
    unpack: () => new BrotliPart(),
  },
  '.zst': {
    pack: zstd.createZstdCompress,
    unpack: zstd.createZstdDecompress && (() => new ZstdFrames(zstd.createZstdDecompress!)),
  },
}

/** Whether such a file can be added to: of other packings, Node reads the first part only. */
export const canGrow = (file: string): boolean => !isPacked(file) || file.endsWith('.gz')

/** Whether a file with such a name is packed. */
export const isPacked = (file: string): boolean => packingOf(file) !== undefined

function packingOf(file: string): Packing | undefined {
  return packings[/\.(?:gz|br|zst)$/.exec(file)?.[0] ?? '']
}

/** What unpacks a file with such a name. */
export function unpackerFor(file: string): ((packed: Readable) => Readable) | undefined {
  const packing = packingOf(file)
  if (packing === undefined) return undefined
  const { unpack } = packing
  if (unpack === undefined) throw unknownPacking('read', file)
  return (packed) => {
    const unpacked = unpack()
    packed.on('error', (error) => unpacked.destroy(error))
    unpacked.prependListener('error', (error: Error) => {
      error.message = `Cannot unpack ${file}: ${error.message}`
    })
    return packed.pipe(unpacked)
  }
}

/** What packs a file with such a name. */
export function packerFor(file: string): (() => Transform) | undefined {
  const packing = packingOf(file)
  if (packing === undefined) return undefined
  if (packing.pack === undefined) throw unknownPacking('write', file)
  return packing.pack
}

function unknownPacking(action: string, file: string): Error {
  return new Error(`Cannot ${action} ${file}: this version of the runtime knows no Zstandard`)
}
