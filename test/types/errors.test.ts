/**
 * What does not fit is a type error, and the compiler blames the argument that is guilty. Each snippet marks with
 * `/*!*\/` the argument where the error has to be; all snippets are one program, so that the library is read once.
 */
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { beforeAll, describe, expect, test } from 'vitest'

interface Misfit {
  title: string
  /** One statement; the guilty argument follows the mark. */
  code: string
  /** What the message says, at any depth of it. */
  says: string | RegExp
}

const mark = '/*!*/'

const misfits: Misfit[] = [
  {
    title: 'a stage that wants another type than its source gives',
    code: 'pipeline(range(3), /*!*/ map((text: string) => text.length), toArray())',
    says: /'number' is not assignable to type 'string'|'string' is not assignable to type 'number'/,
  },
  {
    title: 'a stage in the middle that wants another type',
    code: 'pipeline(range(3), map((n) => n + 1), map((n) => `${n}`), /*!*/ map((n: number) => n * 2), filter((n) => n > 1), toArray())',
    says: /'string' is not assignable to type 'number'|'number' is not assignable to type 'string'/,
  },
  {
    title: 'a stage far down a long pipeline that wants another type',
    code:
      'pipeline(range(3), ' +
      'map((n) => n + 1), map((n) => n + 1), map((n) => n + 1), map((n) => n + 1), map((n) => n + 1), map((n) => n + 1), ' +
      'map((n) => n + 1), map((n) => n + 1), map((n) => n + 1), map((n) => n + 1), map((n) => n + 1), map((n) => n + 1), ' +
      '/*!*/ map((text: string) => text.length), map((n) => n + 1), map((n) => n + 1), toArray())',
    says: /'number' is not assignable to type 'string'|'string' is not assignable to type 'number'/,
  },
  {
    title: 'a stage behind a function that takes anything',
    code: 'pipeline(range(3), tap(console.log), filter(Boolean), /*!*/ map((text: string) => text.length), toArray())',
    says: /'number' is not assignable to type 'string'|'string' is not assignable to type 'number'/,
  },
  {
    title: 'a custom stage whose input is another one',
    code: "pipeline(source(['a']), /*!*/ stage<number, number>('double', async (rx, tx) => { for await (const n of rx) await tx.send(n) }), toArray())",
    says: /'string' is not assignable to type 'number'|'number' is not assignable to type 'string'/,
  },
  {
    title: 'a sink that wants another type',
    code: 'pipeline(range(3), map(String), /*!*/ forEach((n: number) => void n))',
    says: /'string' is not assignable to type 'number'|'number' is not assignable to type 'string'/,
  },
  {
    title: 'a stage that wants a narrower type than it gets',
    code: 'pipeline(source<string | undefined>([]), /*!*/ map((text: string) => text.length))',
    says: /'undefined'/,
  },
  {
    title: 'a composed stage that does not fit',
    code: 'pipeline(range(3), /*!*/ pipeline(map((text: string) => text.length), map((n) => n + 1)), toArray())',
    says: /'number' is not assignable to type 'string'|'string' is not assignable to type 'number'/,
  },
  {
    title: 'unbatch() of values that are no iterables',
    code: 'pipeline(range(3), /*!*/ unbatch(), toArray())',
    says: 'number',
  },
  {
    title: 'a stage after a sink',
    code: 'pipeline(range(3), /*!*/ toArray(), map((n) => n))',
    says: /sink/i,
  },
  {
    title: 'a source in the middle',
    code: 'pipeline(range(3), /*!*/ source([1]), toArray())',
    says: /source/i,
  },
  {
    title: 'something that is no stage at all',
    code: 'pipeline(range(3), /*!*/ 42, toArray())',
    says: 'number',
  },
  {
    title: 'a function in the place of a stage',
    code: 'pipeline(range(3), /*!*/ (n: number) => n + 1, toArray())',
    says: /=>/,
  },
  {
    title: 'a wrong type of a limit',
    code: "pipeline(range(3), batch(/*!*/ '3'))",
    says: "'string' is not assignable to parameter of type 'number'",
  },
  {
    title: 'an option that does not exist',
    code: 'pipeline(range(3), map((n) => n, { /*!*/ concurency: 3 }))',
    says: 'concurency',
  },
  {
    title: 'a wrong value of an option',
    code: "pipeline(range(3), map((n) => n, { /*!*/ onError: 'ignore' }))",
    says: 'ignore',
  },
  {
    title: 'a callback that uses a value as what it is not',
    code: 'pipeline(range(3), map((n) => n./*!*/toUpperCase()))',
    says: "'toUpperCase' does not exist on type 'number'",
  },
  {
    title: 'source() of something that cannot be read',
    code: 'source(/*!*/ 42)',
    says: 'number',
  },
  {
    title: 'flatMap() with a function that gives nothing iterable',
    code: 'pipeline(range(3), flatMap((n) => /*!*/ n * 2))',
    says: 'number',
  },
  {
    title: 'takeWhile() with a function of another type',
    code: 'pipeline(range(3), /*!*/ takeWhile((text: string) => text.length > 0), toArray())',
    says: /'number' is not assignable to type 'string'|'string' is not assignable to type 'number'/,
  },
  {
    title: 'dropWhile() with a function that uses a value as what it is not',
    code: 'pipeline(range(3), dropWhile((n) => n./*!*/length > 0))',
    says: "'length' does not exist on type 'number'",
  },
  {
    title: 'distinct() by what a value has not',
    code: 'pipeline(range(3), distinct((n) => n./*!*/id))',
    says: "'id' does not exist on type 'number'",
  },
  {
    title: 'changes() of what a value has not',
    code: 'pipeline(range(3), changes((n) => n./*!*/id))',
    says: "'id' does not exist on type 'number'",
  },
  {
    title: 'scan() with a function that gives another type than its seed',
    code: "pipeline(range(3), scan((sum: number, n: number) => sum + n, /*!*/ 'seed'))",
    says: "'string' is not assignable to parameter of type 'number'",
  },
  {
    title: 'scan() with a concurrency',
    code: 'pipeline(range(3), scan((sum, n) => sum + n, 0, { /*!*/ concurrency: 2 }))',
    says: 'concurrency',
  },
  {
    title: 'unfold() with a function that gives no pair',
    code: 'unfold(0, (n) => /*!*/ n + 1)',
    says: 'number',
  },
  {
    title: 'window() whose arrays are taken for values',
    code: 'pipeline(range(3), window(2), /*!*/ map((n: number) => n))',
    says: "'number[]' is not assignable to type 'number'",
  },
  {
    title: 'an overflow that does not exist',
    code: "pipeline(range(3), buffer(3, /*!*/ 'drop'))",
    says: 'drop',
  },
  {
    title: 'throttle() without its time',
    code: 'pipeline(range(3), throttle(/*!*/ { count: 3 }))',
    says: "'per' is missing",
  },
  {
    title: 'a time that is no number',
    code: "pipeline(range(3), delay(/*!*/ '1s'), sample(1), idleTimeout(1), drop(1))",
    says: "'string' is not assignable to parameter of type 'number'",
  },
  {
    title: 'an interval in words',
    code: "interval(/*!*/ '1s')",
    says: "'string' is not assignable to parameter of type 'number'",
  },
  {
    title: 'first() taken for a value that is always there',
    code: 'pipeline(interval(1), first()).run().then((n) => /*!*/ n.toFixed())',
    says: "'n' is possibly 'undefined'",
  },
  {
    title: 'last() taken for a value that is always there',
    code: 'pipeline(range(3), last()).run().then((n) => /*!*/ n.toFixed())',
    says: "'n' is possibly 'undefined'",
  },
  {
    title: 'run() without a source',
    code: 'pipeline(map((n: number) => n), toArray())./*!*/run()',
    says: 'run',
  },
  {
    title: 'start() without a source',
    code: 'pipeline(map((n: number) => n), filter((n) => n > 0))./*!*/start()',
    says: 'start',
  },
  {
    title: 'a loop over a pipeline without a source',
    code: 'for await (const _ of /*!*/ pipeline(map((n: number) => n))) break',
    says: 'asyncIterator',
  },
  {
    title: 'fanOut() whose branches want another type',
    code: 'pipeline(range(3), /*!*/ fanOut({ a: map((s: string) => s), b: map((s: string) => s.length) }))',
    says: "'number' is not assignable to type 'string'",
  },
  {
    title: 'fanOut() of sinks that want another type',
    code: 'pipeline(range(3), /*!*/ fanOut({ a: forEach((s: string) => void s), b: count() }))',
    says: "'number' is not assignable to type 'string'",
  },
  {
    title: 'fanOut() of a sink and a stage',
    code: 'pipeline(range(3), /*!*/ fanOut({ a: count(), b: map((n) => n) }))',
    says: `Type '"stage"' is not assignable to type '"sink"'`,
  },
  {
    title: 'a branch that is no stage',
    code: 'pipeline(range(3), fanOut({ a: map((n) => n), /*!*/ b: 42 }))',
    says: "'number' is not assignable to type",
  },
  {
    title: 'fanOut() of a list',
    code: 'pipeline(range(3), fanOut(/*!*/ [count(), count()]))',
    says: 'is not assignable to',
  },
  {
    title: 'route() to a list',
    code: 'pipeline(range(3), /*!*/ route((n) => n as 0 | 1, [count(), count()]))',
    says: 'is not assignable to',
  },
  {
    title: 'route() to no branch at all',
    code: "pipeline(range(3), route(() => 'a', /*!*/ {}))",
    says: "Property 'a' is missing",
  },
  {
    title: 'a stage behind a fanOut() of sinks',
    code: 'pipeline(range(3), /*!*/ fanOut({ a: count() }), map((n) => n))',
    says: /sink/i,
  },
  {
    title: 'a callback behind fanOut() that uses a value as what it is not',
    code: 'pipeline(range(3), fanOut({ a: map((n) => n), b: map((n) => n > 1) }), map((n) => n./*!*/toFixed()))',
    says: "'toFixed' does not exist on type 'number | boolean'",
  },
  {
    title: 'alsoTo() of a stage',
    code: 'pipeline(range(3), alsoTo(/*!*/ map((n) => n)))',
    says: `Type '"stage"' is not assignable to type '"sink"'`,
  },
  {
    title: 'alsoTo() of a sink that wants another type',
    code: 'pipeline(range(3), /*!*/ alsoTo(forEach((s: string) => void s)), toArray())',
    says: "'number' is not assignable to type 'string'",
  },
  {
    title: 'balance() of a stage that wants another type',
    code: 'pipeline(range(3), /*!*/ balance(2, map((s: string) => s)))',
    says: "'number' is not assignable to type 'string'",
  },
  {
    title: 'route() to a branch that is not there',
    code: "pipeline(range(3), route((n) => /*!*/ (n > 1 ? 'a' : 'c'), { a: map((n) => n), b: map((n) => n) }))",
    says: `'"c"' is not assignable to type`,
  },
  {
    title: 'route() to a number that is not there',
    code: 'pipeline(range(3), route((n) => /*!*/ (n > 1 ? 1 : 2), { 0: toArray(), 1: toArray() }))',
    says: "'2' is not assignable to type",
  },
  {
    title: 'groupBy() whose copies want another type',
    code: 'pipeline(range(3), /*!*/ groupBy((n) => n, () => map((s: string) => s)))',
    says: "'number' is not assignable to type 'string'",
  },
  {
    title: 'groupBy() whose maker uses the key as what it is not',
    code: 'pipeline(range(3), groupBy((n) => n > 1, (key) => map(() => key./*!*/toFixed())))',
    says: "'toFixed' does not exist on type 'boolean'",
  },
  {
    title: 'groupBy() whose maker gives a sink',
    code: 'pipeline(range(3), groupBy((n) => n, () => /*!*/ toArray<number>()))',
    says: `Type '"sink"' is not assignable to type '"stage"'`,
  },
  {
    title: 'mergeSorted() that compares another type',
    code: 'mergeSorted(/*!*/ (a: string, b: string) => a.localeCompare(b), [1])',
    says: "'number' is not assignable to type 'string'",
  },
  {
    title: 'zip() of something that cannot be read',
    code: 'zip([1], /*!*/ 5)',
    says: 'number',
  },
  {
    title: 'concat() of a stage',
    code: 'concat([1], /*!*/ map((n: number) => n))',
    says: /stage/,
  },
]

const fitting = [
  'pipeline(range(3), map((n) => n), toArray()).run()',
  'pipeline(range(3), pipeline(map((n: number) => n), filter((n) => n > 0)), toArray()).describe()',
  'pipeline(source<string>([]), map((text: string | undefined) => text?.length))',
  'const own: { signal?: AbortSignal; retry?: number } = {}\n' +
    'pipeline(range(3), map((n) => n, { retry: own.retry })).run({ signal: own.signal })',
]

interface Diagnosed {
  start: number
  end: number
  text: string
}

const root = fileURLToPath(new URL('../..', import.meta.url))
const fileOf = (index: number) => `${root}test/types/snippet-${index}.ts`
const names =
  'batch, filter, flatMap, forEach, map, pipeline, range, source, stage, take, tap, toArray, unbatch, writeTo, fanIn, ' +
  'buffer, changes, delay, distinct, drop, dropWhile, first, idleTimeout, interval, last, sample, scan, takeWhile, ' +
  'throttle, unfold, window, alsoTo, balance, concat, count, fanOut, groupBy, mergeSorted, route, zip'
const prelude = `import { ${names} } from 'sluice'\nexport const used = [${names}]\n`

/** Compiles every snippet as a file of one program and gives the errors of each. */
function diagnose(snippets: string[]): Diagnosed[][] {
  const config = ts.readConfigFile(`${root}tsconfig.json`, ts.sys.readFile)
  const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, root)
  const texts = new Map(snippets.map((code, index) => [fileOf(index), `${prelude}${code}\n`]))
  const host = ts.createCompilerHost(options)
  const { getSourceFile, fileExists, readFile } = host
  host.fileExists = (file) => texts.has(file) || fileExists.call(host, file)
  host.readFile = (file) => texts.get(file) ?? readFile.call(host, file)
  host.getSourceFile = (file, language, ...rest) => {
    const text = texts.get(file)
    return text === undefined
      ? getSourceFile.call(host, file, language, ...rest)
      : ts.createSourceFile(file, text, language)
  }
  const program = ts.createProgram([...texts.keys()], options, host)
  return [...texts.keys()].map((file) =>
    program.getSemanticDiagnostics(program.getSourceFile(file)).map(plain),
  )
}

function plain({ start = -1, length = 0, messageText }: ts.Diagnostic): Diagnosed {
  return { start, end: start + length, text: ts.flattenDiagnosticMessageText(messageText, '\n') }
}

let diagnosed: Diagnosed[][] = []

beforeAll(() => {
  diagnosed = diagnose([...misfits.map(({ code }) => code), ...fitting])
}, 60_000)

describe('the compiler', () => {
  test.each(misfits.map((misfit, index) => ({ ...misfit, index })))(
    'blames $title',
    ({ code, says, index }) => {
      const errors = diagnosed[index]
      const text = prelude + code
      const guilty =
        text.slice(text.indexOf(mark) + mark.length).search(/\S/) + text.indexOf(mark) + mark.length
      expect(errors.length, 'an error').toBeGreaterThan(0)
      expect(errors.map((error) => placeOf(text, error.start))).toEqual(
        errors.map(() => placeOf(text, guilty)),
      )
      expect(errors.map((error) => error.text).join('\n')).toMatch(says)
    },
  )

  test('speaks of what does not fit and not of its own options', () => {
    const texts = diagnosed.flat().map(({ text }) => text)
    expect(texts.filter((text) => text.includes('exactOptionalPropertyTypes'))).toEqual([])
  })

  test('has nothing to say about stages that fit', () => {
    expect(diagnosed.slice(misfits.length)).toEqual(fitting.map(() => []))
  })
})

/** Line and column, as an editor shows them. */
function placeOf(text: string, position: number): string {
  const lines = text.slice(0, position).split('\n')
  return `${lines.length}:${lines.at(-1)!.length + 1}`
}
