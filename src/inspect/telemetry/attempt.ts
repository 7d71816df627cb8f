/** What a listener throws would end the process: it is told to OpenTelemetry instead. */
import { diag } from '@opentelemetry/api'

export function attempt(action: () => unknown): void {
  try {
    action()
  } catch (error) {
    diag.error('sluice/opentelemetry failed', error)
  }
}
