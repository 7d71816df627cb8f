/* global console, ReadableStream, TextDecoderStream, WritableStream */
// Every stage once, by the package's name, for runtimes that cannot run the tests. Ends with exit code 1 where one is wrong.
import * as s from 'sluice'

const { pipeline: p, range, source } = s
let wrong = 0
const eq = (name, a, b) => {
  const x = JSON.stringify(a),
    y = JSON.stringify(b)
  if (x !== y) {
    console.log('WRONG', name, x, y)
    wrong++
  }
}
const n = () => range(6)
const sorted = (a) => [...a].sort((x, y) => x - y)
eq(
  'scan',
  await p(
    n(),
    s.scan((a, b) => a + b, 0),
  ).run(),
  [0, 1, 3, 6, 10, 15],
)
eq('delay', await p(n(), s.delay(5)).run(), [0, 1, 2, 3, 4, 5])
eq(
  'takeWhile',
  await p(
    n(),
    s.takeWhile((x) => x < 3),
  ).run(),
  [0, 1, 2],
)
eq('drop', await p(n(), s.drop(4)).run(), [4, 5])
eq(
  'dropWhile',
  await p(
    n(),
    s.dropWhile((x) => x < 4),
  ).run(),
  [4, 5],
)
eq('distinct', await p(source([1, 1, 2, 1]), s.distinct()).run(), [1, 2])
eq('changes', await p(source([1, 1, 2, 1]), s.changes()).run(), [1, 2, 1])
eq('sample', (await p(s.interval(2), s.take(20), s.sample(10)).run()).length > 1, true)
eq('window', await p(n(), s.window(3, 2)).run(), [
  [0, 1, 2],
  [2, 3, 4],
])
eq(
  'groupBy',
  sorted(
    await p(
      n(),
      s.groupBy(
        (x) => x % 2,
        () => s.map((x) => x * 10),
      ),
    ).run(),
  ),
  [0, 10, 20, 30, 40, 50],
)
eq('throttle', await p(n(), s.throttle({ count: 1, per: 2 })).run(), [0, 1, 2, 3, 4, 5])
eq('buffer', await p(n(), s.buffer(2, 'block')).run(), [0, 1, 2, 3, 4, 5])
eq('idle', await p(n(), s.idleTimeout(1000)).run(), [0, 1, 2, 3, 4, 5])
eq(
  'idle2',
  await p(source(new Promise(() => {})), s.idleTimeout(10))
    .run()
    .catch((e) => e.cause.name),
  'TimeoutError',
)
eq('fanOut', await p(n(), s.fanOut({ a: s.count(), b: s.last() })).run(), { a: 6, b: 5 })
eq(
  'balance',
  sorted(
    await p(
      n(),
      s.balance(
        2,
        s.map(async (x) => x),
      ),
    ).run(),
  ),
  [0, 1, 2, 3, 4, 5],
)
eq(
  'route',
  await p(
    n(),
    s.route((x) => (x < 2 ? 'a' : 'b'), { a: s.count(), b: s.count() }),
  ).run(),
  { a: 2, b: 4 },
)
const seen = []
eq('alsoTo', await p(n(), s.alsoTo(s.forEach((x) => void seen.push(x))), s.first()).run(), 0)
eq('interval', await p(s.interval(2), s.take(3)).run(), [0, 1, 2])
eq('unfold', await p(s.unfold(1, (x) => (x < 20 ? [x, x * 2] : undefined))).run(), [1, 2, 4, 8, 16])
eq('concat', await p(s.concat([1], [2])).run(), [1, 2])
eq('interleave', await p(s.interleave([1, 3], [2])).run(), [1, 2, 3])
eq('mergeSorted', await p(s.mergeSorted((a, b) => a - b, [1, 3], [2])).run(), [1, 2, 3])
eq('zip', await p(s.zip([1, 3], [2])).run(), [[1, 2]])
eq('through', await p(source([new Uint8Array([104, 105])]), s.through(new TextDecoderStream())).run(), ['hi'])
const out = []
eq(
  'writeTo',
  await p(n(), s.writeTo(new WritableStream({ write: (v) => void out.push(v) }))).run(),
  undefined,
)
eq('written', out, [0, 1, 2, 3, 4, 5])
eq(
  'fanIn',
  sorted(
    await p(
      s.fanIn(
        [1],
        new ReadableStream({
          start(c) {
            c.enqueue(2)
            c.close()
          },
        }),
      ),
    ).run(),
  ),
  [1, 2],
)

// A program that forgot to close a sender says so. Not in an `await` at the top: Bun and Deno report that themselves.
const [tx, rx] = s.channel(1)
rx.recv()
  .then(
    () => eq('deadlock', 'a value', 'an error'),
    (error) => eq('deadlock', [error.name, tx.closed], ['DeadlockError', false]),
  )
  .then(() => {
    console.log(wrong === 0 ? 'all right' : `${wrong} wrong`)
    if (wrong > 0) throw new Error('Not every stage does what it says')
  })
