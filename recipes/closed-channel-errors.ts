// The errors of a closed channel: nothing gets lost in silence.
//
// Sending where nobody will read is an error, and the error hands the value back. Receiving where nobody
// will send is an error too, but only after everything that was sent has been read. And whoever stops
// because something went wrong can say what it was.

import assert from 'node:assert/strict'
import { channel, RecvError, SendError } from 'sluice'

// 1. Nobody reads any more: the value comes back.
{
  const [tx, rx] = channel<{ order: string; pieces: number }>(4, { name: 'orders' })
  rx.close()

  assert.equal(tx.closed, true) // Can be asked, but between asking and sending it may change:
  try {
    await tx.send({ order: 'coffee', pieces: 2 }) // so send, and look at what comes of it.
    assert.fail('nobody was there to take it')
  } catch (error) {
    assert.ok(error instanceof SendError)
    assert.equal(error.code, 'CLOSED')
    assert.deepEqual(error.value, { order: 'coffee', pieces: 2 })
    console.log(`not sent, still in our hands: ${error.value.pieces} × ${error.value.order}`)
  }
}

// 2. Nobody sends any more: first what is left, then the end.
{
  const [tx, rx] = channel<string>(4)
  await tx.send('last words')
  tx.close()

  console.log(`still received: ${await rx.recv()}`)
  await assert.rejects(rx.recv(), (error) => error instanceof RecvError && error.code === 'CLOSED')
  // A loop, or next(), takes the end for what it is: no exception, just the end.
  assert.deepEqual(await rx.next(), { done: true, value: undefined })
  console.log('then the end')
}

// 3. The sender broke down: its reason comes out at the other end, after what it had sent before.
{
  const [tx, rx] = channel<string>(4)
  await tx.send('page 1')
  const cause = new Error('the printer is on fire')
  tx.fail(cause)

  const pages: string[] = []
  const reading = async () => {
    for await (const page of rx) pages.push(page)
  }
  await assert.rejects(reading, cause) // An end and a breakdown cannot be confused.
  assert.deepEqual(pages, ['page 1'])
  console.log(`read ${pages.length} page, then: ${cause.message}`)
}
