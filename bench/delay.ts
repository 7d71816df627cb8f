// How late a timer of 1 ms is while a job runs: from when it was due to when it was called.

export interface Delay {
  p99: number
  max: number
}

const due = 1

/** Runs `job` beside a timer, and one tick longer: a job that never lets go has delayed that one. */
export async function delaysDuring(job: () => Promise<unknown>): Promise<Delay> {
  const delays: number[] = []
  let isOver = false
  const ticking = new Promise<void>((resolve) => {
    const wait = () => {
      const start = performance.now()
      setTimeout(() => {
        delays.push(Math.max(0, performance.now() - start - due))
        if (isOver) resolve()
        else wait()
      }, due)
    }
    wait()
  })
  await job()
  isOver = true
  await ticking
  delays.sort((a, b) => a - b)
  return { p99: delays[Math.ceil(delays.length * 0.99) - 1], max: delays[delays.length - 1] }
}
