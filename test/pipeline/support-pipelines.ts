/** Pipelines of every shape, put together at random: inputs in inputs, branches in branches, wishes of capacity. */
import {
  alsoTo,
  balance,
  concat,
  drain,
  fanIn,
  fanOut,
  filter,
  interleave,
  map,
  mergeSorted,
  pipeline,
  range,
  route,
  stage,
  zip,
  type Sink,
  type Source,
  type Stage,
} from 'sluice'
import type { Random } from './support-random.ts'

let names = 0
const name = (kind: string) => `${kind} ${names++}`
const wish = (random: Random) => random.pick([{}, {}, { capacity: random.int(0, 9) }])

function anyStage(random: Random, depth: number): Stage<unknown, unknown> {
  const options = { name: name('s'), ...wish(random) }
  const leaf = random.int(0, 2)
  const kind = depth > 0 ? random.int(0, 7) : leaf
  const inner = () => anyStage(random, depth - 1)
  switch (kind) {
    case 0:
      return map((n: unknown) => n, options)
    case 1:
      return filter(() => true, options)
    case 2:
      return stage(options.name, async (rx, tx) => void (await tx.sendMany(rx)), wish(random))
    case 3:
      return fanOut({ a: inner(), b: inner() }, options)
    case 4:
      return route(() => 'b' as const, { a: inner(), b: inner() }, options)
    case 5:
      return balance(2, inner(), options)
    case 6:
      return alsoTo(anySink(random, depth - 1), options)
    default:
      return pipeline(inner(), inner())
  }
}

function anySink(random: Random, depth: number): Sink<unknown, unknown> {
  const inner = () => anySink(random, depth - 1)
  if (depth <= 0 || random.int(0, 1)) return drain({ name: name('sink') })
  if (random.int(0, 1)) return fanOut({ a: inner(), b: inner() }, { name: name('out') })
  return pipeline(anyStage(random, depth - 1), inner())
}

function anySource(random: Random, depth: number, many: number): Source<unknown> {
  const inner = () => anySource(random, depth - 1, many)
  const inputs = () => [inner(), inner()] as const
  switch (depth > 0 ? random.int(0, 6) : 0) {
    case 1:
      return fanIn(...inputs())
    case 2:
      return concat(...inputs())
    case 3:
      return interleave(...inputs())
    case 4:
      return zip(...inputs())
    case 5:
      return mergeSorted(() => 0, ...inputs())
    case 6:
      return pipeline(inner(), anyStage(random, depth - 1))
    default:
      return range(many, undefined, 1, { name: name('range'), ...wish(random) })
  }
}

/** Its sources give so many values each. */
export function anyPipeline(random: Random, many = 3) {
  const middle = pipeline(anySource(random, 2, many), anyStage(random, 2), anyStage(random, 2))
  return random.int(0, 1) ? middle : pipeline(middle, anySink(random, 2))
}
