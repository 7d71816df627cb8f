/** The copies of loop.ts: bundlers and engines make a module of its own for each query. */
type Loops = Record<import('./loops.ts').Keep, import('./loops.ts').Loop>

declare module '*/loop.ts?copy=1' {
  export const loop: Loops
}
declare module '*/loop.ts?copy=2' {
  export const loop: Loops
}
declare module '*/loop.ts?copy=3' {
  export const loop: Loops
}
declare module '*/loop.ts?copy=4' {
  export const loop: Loops
}
