/** The same without a top-level await, whose absence Node itself would not notice. */
import { forEach, map, pipeline, range } from 'sluice'

async function main(): Promise<void> {
  await pipeline(
    range(3),
    map((n) => new Promise<number>((resolve) => void (n < 0 && resolve(n)))),
    forEach(() => {}),
  ).run()
  console.log('result')
}

void main()
