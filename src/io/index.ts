export type { OnError } from '../connect/on-error.ts'
