// A worker pool: several workers on one channel, a clone of the receiver for each of them.
//
// Every job reaches exactly one worker, the first that is free. Nobody hands the work out, so nobody can
// hand it out badly: a worker stuck with a long job simply takes none, and the others take more.

import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { channel, type Receiver, type Sender } from 'sluice'

interface Job {
  id: number
  ms: number
}
interface Result {
  id: number
  worker: string
}

async function work(worker: string, jobs: Receiver<Job>, tx: Sender<Result>) {
  using out = tx
  for await (const { id, ms } of jobs) {
    await sleep(ms)
    await out.send({ id, worker })
  }
}

const [jobsIn, jobsOut] = channel<Job>(2)
const [resultsIn, resultsOut] = channel<Result>(2)

const workers = ['ann', 'bob', 'cid'].map((name) => work(name, jobsOut.clone(), resultsIn.clone()))
// The workers have clones, nobody needs the originals. With `resultsIn` open the results would never end;
// with `jobsOut` open, jobs would be accepted after the last worker has left.
jobsOut.close()
resultsIn.close()

// The first job takes much longer than the rest. With room for two the queue is short, and the jobs are
// made as the workers get on with them.
async function order(tx: Sender<Job>) {
  using out = tx
  for (let id = 0; id < 20; id++) await out.send({ id, ms: id === 0 ? 80 : 4 })
}
const ordering = order(jobsIn)

const done: Result[] = []
for await (const result of resultsOut) done.push(result)
await Promise.all([ordering, ...workers])

const share = (name: string) => done.filter((result) => result.worker === name).length
console.log(`20 jobs done: ann ${share('ann')}, bob ${share('bob')}, cid ${share('cid')}`)

const ids = done.map((result) => result.id).sort((a, b) => a - b)
assert.deepEqual(ids, [...Array(20).keys()]) // Each once, none lost, none twice.
assert.ok(share('ann') < share('bob') + share('cid')) // Ann had the long job.
