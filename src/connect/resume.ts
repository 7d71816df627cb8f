/** Going on where an earlier run had come to: what cannot says so before anything is read. */
import type { Definition } from '../pipeline/stage.ts'

type Resume = (position: unknown) => Definition

export function resumeBy(make: string, goesOn: boolean | undefined, resume: Resume): Resume {
  if (goesOn !== false) return resume
  return () => {
    throw new TypeError(`Cannot go on with ${make}: it begins anew with each run`)
  }
}
