/** Whether it is an object to look for options or values in: no list of them, no function, and no promise that somebody forgot to await. */
export function isRecord(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Promise)
}

/** Whether it is one, or a list. */
export const isRecordOrList = (value: unknown): value is object => Array.isArray(value) || isRecord(value)
