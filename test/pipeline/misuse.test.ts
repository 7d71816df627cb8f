/** A wrong argument is an error where the stage is built: action, colon, wanted state, actual state. */
import { describe, expect, test } from 'vitest'
import {
  batch,
  buffer,
  changes,
  count,
  distinct,
  fanIn,
  fanOut,
  filter,
  flatMap,
  forEach,
  groupBy,
  map,
  pipeline,
  range,
  reduce,
  scan,
  source,
  stage,
  take,
  tap,
  throttle,
  through,
  toArray,
  writeTo,
} from 'sluice'

/** A wrong argument, which the types refuse and a program in JavaScript can still pass. */
const wrong = (value: unknown): never => value as never
const same = (n: number): number => n

/** What `build` throws. */
function thrownBy(build: () => unknown): unknown {
  try {
    build()
  } catch (error) {
    return error
  }
  throw new Error('nothing was thrown')
}

/** The name of a stage, the option that is guilty, and ways to get it wrong. */
type Misuse = [stage: string, guilty: string, builds: (() => unknown)[]]

const outOfRange: Misuse[] = [
  ['batch', 'size', [() => batch(0), () => batch(-1), () => batch(1.5), () => batch(NaN)]],
  ['batch', 'ms', [() => batch(2, { ms: -1 }), () => batch(2, { ms: NaN })]],
  ['batch', 'bytes', [() => batch(2, { bytes: -1 }), () => batch(2, { bytes: NaN })]],
  ['take', '(n|count)', [() => take(-1), () => take(1.5), () => take(NaN)]],
  ['range', 'step', [() => range(0, 5, 0), () => range(0, 5, NaN)]],
  ['map', 'concurrency', [0, -1, 1.5, NaN].map((concurrency) => () => map(same, { concurrency }))],
  ['map', 'timeout', [() => map(same, { timeout: -1 }), () => map(same, { timeout: NaN })]],
  ['map', 'retry', [() => map(same, { retry: -1 }), () => map(same, { retry: 1.5 })]],
  [
    'map',
    'attempts',
    [() => map(same, { retry: { attempts: 0 } }), () => map(same, { retry: { attempts: NaN } })],
  ],
  [
    'map',
    'jitter',
    [
      () => map(same, { retry: { attempts: 2, jitter: 2 } }),
      () => map(same, { retry: { attempts: 2, jitter: -1 } }),
    ],
  ],
  ['map', 'delay', [() => map(same, { retry: { attempts: 2, delay: -1 } })]],
  ['map', 'capacity', [() => map(same, { capacity: -1 }), () => map(same, { capacity: 1.5 })]],
  ['filter', 'concurrency', [() => filter(() => true, { concurrency: 0 })]],
  ['flatMap', 'concurrency', [() => flatMap((n: number) => [n], { concurrency: 0 })]],
  ['tap', 'timeout', [() => tap(() => {}, { timeout: -1 })]],
  ['forEach', 'retry', [() => forEach(() => {}, { retry: -1 })]],
  ['source', 'capacity', [() => source([1], { capacity: -1 }), () => source([1], { capacity: NaN })]],
]

const ofWrongType: Misuse[] = [
  ['map', 'fn', [() => map(wrong(undefined)), () => map(wrong(42)), () => map(wrong({}))]],
  ['filter', 'fn', [() => filter(wrong('text'))]],
  ['flatMap', 'fn', [() => flatMap(wrong(null))]],
  ['tap', 'fn', [() => tap(wrong([]))]],
  ['forEach', 'fn', [() => forEach(wrong(undefined))]],
  ['reduce', 'fn', [() => reduce(wrong(5), 0)]],
  ['map', 'onError', [() => map(same, { onError: wrong('ignore') }), () => map(same, { onError: wrong(1) })]],
  [
    'map',
    'ordered',
    [() => map(same, { ordered: wrong('yes') }), () => map(same, { ordered: wrong({ by: 3 }) })],
  ],
  ['map', 'when', [() => map(same, { retry: { attempts: 2, when: wrong(true) } })]],
  ['source', 'input', [() => source(wrong(42)), () => source(wrong(null)), () => source(wrong({}))]],
  ['source', 'input', [() => source(wrong(undefined))]],
  ['fanIn', 'input', [() => fanIn(wrong(42))]],
  ['through', 'transform', [() => through(wrong(42)), () => through(wrong({}))]],
  ['writeTo', 'target', [() => writeTo(wrong({})), () => writeTo(wrong(undefined))]],
  ['stage', 'task', [() => stage('custom', wrong(5))]],
  ['stage', 'name', [() => stage(wrong(5), async () => {})]],
]

describe('a number out of range', () => {
  test('is told in full', () => {
    const error = thrownBy(() => batch(0))
    expect(error).toBeInstanceOf(RangeError)
    expect((error as RangeError).message).toBe('Cannot create batch: "size" must be an integer >= 1, got 0')
  })

  test.each(outOfRange)('for %s is a RangeError that names "%s"', (name, guilty, builds) => {
    for (const build of builds) {
      const error = thrownBy(build)
      expect(error).toBeInstanceOf(RangeError)
      expect((error as RangeError).message).toMatch(
        new RegExp(`^Cannot create ${name}: ".*${guilty}" must be .*, got .*[^.]$`),
      )
    }
  })
})

describe('a value of the wrong type', () => {
  test.each(ofWrongType)('for %s is a TypeError', (name, _guilty, builds) => {
    for (const build of builds) {
      const error = thrownBy(build)
      expect(error).toBeInstanceOf(TypeError)
      expect((error as TypeError).message).toMatch(new RegExp(`^Cannot create ${name}: .*, got .*[^.]$`))
    }
  })

  test('where a number is wanted is an error, too', () => {
    for (const build of [
      () => batch(wrong('3')),
      () => take(wrong('3')),
      () => range(wrong('3')),
      () => range(NaN),
    ]) {
      const error = thrownBy(build)
      expect(error instanceof TypeError || error instanceof RangeError).toBe(true)
      expect((error as Error).message).toMatch(/^Cannot create (batch|take|range): /)
    }
  })
})

describe('what can be turned into a number', () => {
  test.each([
    ['retry.factor', (value: never) => map(same, { retry: { factor: value } })],
    ['retry.jitter', (value: never) => map(same, { retry: { jitter: value } })],
    ['bytes', (value: never) => batch(1, { bytes: value })],
  ])('is none: %s', (guilty, build) => {
    for (const value of ['1', true, 1n, Symbol('one'), [1], null]) {
      const error = thrownBy(() => build(wrong(value)))
      expect(error).toBeInstanceOf(RangeError)
      expect((error as RangeError).message).toContain(`"${guilty}" must be a number`)
    }
  })
})

describe('options that are no object', () => {
  const builds = {
    source: (options: never) => source([1], options),
    range: (options: never) => range(0, 1, 1, options),
    map: (options: never) => map(same, options),
    groupBy: (options: never) => groupBy(same, () => map(same), options),
    batch: (options: never) => batch(2, options),
    buffer: (options: never) => buffer(2, 'block', options),
    throttle: (options: never) => throttle(options),
    stage: (options: never) => stage('custom', async () => {}, options),
    fanOut: (options: never) => fanOut({ all: toArray() }, options),
    toArray: (options: never) => toArray(options),
  }
  test.each(Object.entries(builds))('are refused by %s', (name, build) => {
    for (const value of [null, 100, 'text', true, same]) {
      const error = thrownBy(() => build(wrong(value)))
      expect(error).toBeInstanceOf(TypeError)
      expect((error as TypeError).message).toMatch(`Cannot create ${name}: "options" must be an object, got `)
    }
  })
})

test('options that are inherited count', async () => {
  class Skipping {
    #onError = 'skip' as const
    get onError() {
      return this.#onError
    }
  }
  const add = (sum: number, n: number) => (n === 2 ? Promise.reject(new Error('two')) : sum + n)
  expect(await pipeline(range(4), scan(add, 0, new Skipping())).run()).toEqual([0, 1, 4])
  expect(await pipeline(range(4), reduce(add, 0, new Skipping())).run()).toBe(4)
  class Small {
    #capacity = 3
    get capacity() {
      return this.#capacity
    }
  }
  const idle = stage('idle', async () => {}, Object.freeze(new Small()))
  expect(pipeline(range(4), idle, count()).describe().edges[1].capacity).toBe(3)
})

describe('a key that is no function', () => {
  test('is called by its name', () => {
    for (const [name, build] of [
      ['distinct', () => distinct(wrong(1))],
      ['changes', () => changes(wrong(1))],
      ['groupBy', () => groupBy(wrong(1), () => map(same))],
    ] as const) {
      const error = thrownBy(build)
      expect(error).toBeInstanceOf(TypeError)
      expect((error as TypeError).message).toBe(`Cannot create ${name}: "key" must be a function, got 1`)
    }
  })
})

describe('wrong options of a run', () => {
  test.each([
    ['options', null],
    ['options', 5],
    ['name', { name: 5 }],
    ['signal', { signal: 5 }],
    ['signal', { signal: {} }],
    ['signal', { signal: new AbortController() }],
  ])('are a TypeError that names "%s", and nothing is begun: %j', async (guilty, options) => {
    let opened = 0
    const pipe = pipeline(source(() => (opened++, [1])))
    const error = thrownBy(() => pipe.start(wrong(options)))
    expect(error).toBeInstanceOf(TypeError)
    expect((error as TypeError).message).toMatch(
      new RegExp(`^Cannot run pipeline: "${guilty}" must be .*, got `),
    )
    await expect(pipe.run(wrong(options))).rejects.toThrow((error as TypeError).message)
    expect(opened).toBe(0)
  })
})

describe('stages in an order that cannot run', () => {
  const loose = (...stages: unknown[]): unknown => pipeline(...(stages as [ReturnType<typeof range>]))

  test('are a TypeError where the pipeline is built', () => {
    const orders = {
      'no stage': () => loose(range(3), 42),
      nothing: () => loose(undefined),
      'a stage after a sink': () => loose(range(3), toArray(), map(same)),
      'a source in the middle': () => loose(range(3), source([1]), toArray()),
      'two sinks': () => loose(range(3), toArray(), toArray()),
    }
    for (const [order, build] of Object.entries(orders)) {
      const error = thrownBy(build)
      expect(error, order).toBeInstanceOf(TypeError)
      expect((error as TypeError).message, order).toMatch(/^Cannot create pipeline: /)
    }
  })
})

describe('what a function gives', () => {
  test.each([
    [
      'flatMap',
      flatMap(wrong(() => 5)),
      'Cannot flatMap: "fn" must be a function that gives an iterable, got 5',
    ],
    [
      'through',
      through(wrong(() => 5)),
      'Cannot pass values through: "transform" must be a function that gives an async iterable, got 5',
    ],
  ])('fails the stage that cannot use it, and is shown: %s', async (_, stage, message) => {
    await expect(pipeline(range(2), stage).run()).rejects.toMatchObject({ cause: new TypeError(message) })
  })
})

test('a pipeline that ends in a sink gives nothing one by one: a loop over it is a TypeError, and nothing is begun', async () => {
  let opened = 0
  const job = pipeline(
    source(() => (opened++, [1])),
    toArray(),
  )
  const loop = thrownBy(() => (job as unknown as AsyncIterable<unknown>)[Symbol.asyncIterator]())
  expect(loop).toEqual(new TypeError('Cannot loop over pipeline: it must not end in a sink'))
  await expect(pipeline(source(wrong(job))).run()).rejects.toMatchObject({ cause: loop })
  expect(opened).toBe(0)
})
