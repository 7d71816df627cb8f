// Trying and waiting: not at all, for a while, or until somebody calls it off.
//
// send and recv wait as long as it takes. trySend and tryRecv do not wait; they return at once and say
// how it went. In between lie `timeout` and `signal`, and both keep the promise that matters: who gave up
// has taken nothing and has sent nothing.

import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { channel, RecvError, SendError } from 'sluice'

const [tx, rx] = channel<string>(1)

// Not at all. The answers are values, not exceptions: full and empty are everyday news.
assert.equal(tx.trySend('first'), 'sent')
assert.equal(tx.trySend('second'), 'full')
assert.deepEqual(rx.tryRecv(), { ok: true, value: 'first' })
assert.deepEqual(rx.tryRecv(), { ok: false, reason: 'empty' })
console.log('try:     sent, full, received, empty')

// For a while. `timeout` in milliseconds; the error has the code TIMEOUT.
await assert.rejects(
  rx.recv({ timeout: 20 }),
  (error) => error instanceof RecvError && error.code === 'TIMEOUT',
)

// A send that ran out of time hands its value back, for another try or another way out.
await tx.send('in the way')
await assert.rejects(
  tx.send('too late', { timeout: 20 }),
  (error) => error instanceof SendError && error.code === 'TIMEOUT' && error.value === 'too late',
)
assert.equal(await rx.recv(), 'in the way')
assert.equal(rx.length, 0) // 'too late' was given up, and does not turn up afterwards.
console.log('timeout: gave up after 20 ms, twice')

// Until somebody calls it off, by an AbortSignal. The wait rejects with the reason they gave, as it is.
const caller = new AbortController()
const answer = rx.recv({ signal: caller.signal })
const hangUp = sleep(20).then(() => caller.abort(new Error('the caller hung up')))
await assert.rejects(answer, /the caller hung up/)
await hangUp
console.log('signal:  the caller hung up')

// None of this has harmed the channel.
await tx.send('still alive')
assert.equal(await rx.recv({ timeout: 20 }), 'still alive')
console.log('after:   still alive')
tx.close()
assert.equal(tx.trySend('anyone?'), 'closed')
