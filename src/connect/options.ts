import { demand } from '../errors.ts'
import { isRecord } from './record.ts'

/** `demand` for what holds the options: a list has none, and a promise that somebody forgot to await would count as no options. */
export function demandOptions(options: unknown, action: string): void {
  demand(isRecord(options), action, 'options', 'an object', options, TypeError)
}
