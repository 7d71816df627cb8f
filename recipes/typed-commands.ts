// Typed commands: one channel for several kinds of message, and a compiler that knows them all.
//
// The type of the message is a union whose members are told apart by `kind`. The receiver switches over
// it, and in each case the compiler knows which fields there are. A kind that was added to the union and
// forgotten in the switch is an error at compile time, in the line that says `never`.

import assert from 'node:assert/strict'
import { channel, type Receiver } from 'sluice'

type Command =
  | { kind: 'forward'; steps: number }
  | { kind: 'turn'; to: 'left' | 'right' }
  | { kind: 'write'; text: string }

/** Walks as it is told and gives what it wrote on its way. It starts at 0,0 and looks north. */
async function turtle(commands: Receiver<Command>) {
  const notes: string[] = []
  let [x, y, dx, dy] = [0, 0, 0, 1]

  for await (const command of commands) {
    switch (command.kind) {
      case 'forward':
        x += dx * command.steps
        y += dy * command.steps
        break
      case 'turn':
        ;[dx, dy] = command.to === 'right' ? [dy, -dx] : [-dy, dx]
        break
      case 'write':
        notes.push(`${command.text} at ${x},${y}`)
        break
      default:
        throw new TypeError('Unknown command', { cause: command satisfies never })
    }
  }
  return notes
}

const [tx, rx] = channel<Command>(8)
const walking = turtle(rx)

await tx.send({ kind: 'forward', steps: 3 })
await tx.send({ kind: 'turn', to: 'right' })
await tx.send({ kind: 'forward', steps: 2 })
await tx.send({ kind: 'write', text: 'a flower' })
await tx.sendMany([
  { kind: 'turn', to: 'right' },
  { kind: 'forward', steps: 4 },
  { kind: 'write', text: 'a stone' },
])
tx.close() // It takes no command to stop.

// @ts-expect-error The other end is checked as well: nobody can send what the turtle does not know.
void (() => tx.send({ kind: 'fly', height: 100 }))

const notes = await walking
console.log(notes.join('\n'))
assert.deepEqual(notes, ['a flower at 2,3', 'a stone at 2,-1'])
