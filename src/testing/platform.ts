/** What Node, Bun and Deno have and browsers do not, looked up where it is needed: no import of it fails anywhere. */

interface Process {
  getBuiltinModule?(name: string): unknown
  getActiveResourcesInfo?(): string[]
}

export function processOf(): Process {
  return (globalThis as { process?: Process }).process ?? {}
}

/** A module of the platform, or undefined where there is none of that name. */
export function platformModule<Module>(name: string): Module | undefined {
  return processOf().getBuiltinModule?.(name) as Module | undefined
}
