/**
 * The end of a log file after a crash: whole lines, and at most one line without an end.
 *
 * Lines are appended and never changed, so this tail is all that can be wrong. It was never acknowledged: an acknowledged
 * line has its newline.
 */
import type { Disk } from './disk.ts'

const NEWLINE = 0x0a
const BLOCK = 65_536

/** How long the line without an end is, looking from the end of the file. */
export async function tornBytes(disk: Disk, fd: number, size: number): Promise<number> {
  const block = Buffer.allocUnsafe(Math.min(BLOCK, size))
  let end = size
  while (end > 0) {
    const begin = Math.max(0, end - BLOCK)
    await readWhole(disk, fd, block.subarray(0, end - begin), begin)
    const at = block.subarray(0, end - begin).lastIndexOf(NEWLINE)
    if (at >= 0) return size - (begin + at + 1)
    end = begin
  }
  return size
}

async function readWhole(disk: Disk, fd: number, into: Buffer, from: number): Promise<void> {
  for (let at = 0; at < into.length;) {
    const rest = into.subarray(at)
    const count = await disk.read(fd, rest, rest.length, from + at)
    if (count === 0) throw new Error('it became shorter while its end was looked at')
    at += count
  }
}
