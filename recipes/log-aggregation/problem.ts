// What the user is told when something goes wrong: one line, in words.

/** Ends the program with one line on stderr and exit code 1. */
export class Problem extends Error {
  override readonly name = 'Problem'
}

const reasons: Record<string, string> = {
  ENOENT: 'there is no such file or folder',
  EISDIR: 'it is a directory',
  ENOTDIR: 'a part of its path is no directory',
  EACCES: 'permission denied',
  EPERM: 'the system does not permit it',
  EROFS: 'the file system is read-only',
  ENOSPC: 'no space left on the device',
  EDQUOT: 'the disk quota is used up',
  EFBIG: 'the file has become too large',
  EIO: 'input/output error',
  EPIPE: 'its reader has gone',
  EBADF: 'it is not open',
  ENXIO: 'nothing that could be opened, a socket perhaps',
  EMFILE: 'too many open files',
  ELOOP: 'too many symbolic links',
  ENAMETOOLONG: 'its name is too long',
}

/** The reason of a system error in words, with its code. */
export function reasonOf(error: unknown): string {
  const { code, message } = Object(error) as { code?: string; message?: string }
  if (code === undefined) return message ?? String(error)
  return code in reasons ? `${reasons[code]} (${code})` : (message ?? code)
}
