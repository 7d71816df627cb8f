// An actor: a task that owns its state, and a channel as the only way to it.
//
// Requests come out of the channel one after the other, and each is finished before the next begins. So
// there is nothing to lock, even where an `await` stands between a check and what is done because of it.
// Whoever wants an answer puts a channel of their own into the request.

import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { channel, type Receiver, type Sender } from 'sluice'

type Request =
  | { kind: 'deposit'; amount: number } // Nobody waits for an answer to this one.
  | { kind: 'withdraw'; amount: number; reply: Sender<boolean> }
  | { kind: 'balance'; reply: Sender<number> }

async function account(requests: Receiver<Request>) {
  let balance = 0
  for await (const request of requests) {
    switch (request.kind) {
      case 'deposit':
        balance += request.amount
        break
      case 'withdraw': {
        using reply = request.reply // Closed whatever happens, so nobody waits for an answer in vain.
        const enough = balance >= request.amount
        await sleep(1) // Some slow bookkeeping. Without the actor: the classic race.
        if (enough) balance -= request.amount
        reply.trySend(enough)
        break
      }
      case 'balance': {
        using reply = request.reply
        reply.trySend(balance)
        break
      }
      default:
        throw new TypeError('Unknown request', { cause: request satisfies never })
    }
  }
}

// Room for one value is just right: the one answer always fits, so the actor never waits for somebody who
// is slow to fetch it.
async function ask<T>(actor: Sender<Request>, request: (reply: Sender<T>) => Request): Promise<T> {
  const [reply, answered] = channel<T>(1, { name: 'reply' })
  await actor.send(request(reply))
  return answered.recv()
}

const [tx, rx] = channel<Request>(16, { name: 'account' })
const running = account(rx)

await tx.send({ kind: 'deposit', amount: 100 })

// Three at once want 60, and there are 100. Only one of them can have it.
const withdraw = () => ask<boolean>(tx, (reply) => ({ kind: 'withdraw', amount: 60, reply }))
const granted = await Promise.all([withdraw(), withdraw(), withdraw()])
const balance = await ask<number>(tx, (reply) => ({ kind: 'balance', reply }))

tx.close() // The end of the requests is the end of the actor.
await running

console.log(`granted: ${granted.join(', ')}; left: ${balance}`)
assert.deepEqual(granted, [true, false, false])
assert.equal(balance, 40)
