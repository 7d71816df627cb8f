/** Modules of Node that the core uses where they are there. They are asked for, not imported, so that it runs in browsers. */
interface Builtins {
  'node:async_hooks': { AsyncLocalStorage?: { snapshot?(): Scope } }
  'node:diagnostics_channel': { channel(name: string): DiagnosticsChannel }
}

/** Calls a function in the context, of `AsyncLocalStorage`, in which it was made. */
export type Scope = <T>(work: (argument: T) => void, argument: T) => void

export interface DiagnosticsChannel {
  readonly hasSubscribers: boolean
  publish(message: object): void
}

export function builtin<Name extends keyof Builtins>(name: Name): Builtins[Name] | undefined {
  const { process } = globalThis as {
    process?: { getBuiltinModule?(name: string): Builtins[Name] | undefined }
  }
  return process?.getBuiltinModule?.(name)
}
