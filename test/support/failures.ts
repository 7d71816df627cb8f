import { RecvError, SendError } from 'sluice'
import { expect } from 'vitest'

/** Checks that `reason` is a SendError with this code that hands back this very value. */
export function expectSendError(reason: unknown, code: SendError<unknown>['code'], value: unknown): void {
  expect(reason).toBeInstanceOf(SendError)
  expect(reason).toBeInstanceOf(Error)
  const error = reason as SendError<unknown>
  expect(error.code).toBe(code)
  expect(error.value).toBe(value)
}

/** Checks that `reason` is a RecvError with this code. */
export function expectRecvError(reason: unknown, code: RecvError['code']): void {
  expect(reason).toBeInstanceOf(RecvError)
  expect(reason).toBeInstanceOf(Error)
  expect((reason as RecvError).code).toBe(code)
}
