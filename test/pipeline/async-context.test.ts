/** What a function of a stage finds in an `AsyncLocalStorage` is what was there when its run began. */
import { AsyncLocalStorage } from 'node:async_hooks'
import { describe, expect, test } from 'vitest'
import {
  batch,
  channel,
  drain,
  fanOut,
  filter,
  forEach,
  groupBy,
  interval,
  map,
  pipeline,
  range,
  type Sender,
  source,
  stage,
  tap,
} from 'sluice'
import { deferred, turns } from './support-waiting.ts'

const storage = new AsyncLocalStorage<string>()
const names = ['one', 'two', 'three']

/** Runs what `build` gives once for each name at the same time. Gives what its functions have found. */
async function found(
  build: (look: <T>(value: T) => T) => { run(): Promise<unknown> },
): Promise<Record<string, Set<string | undefined>>> {
  const seen: Record<string, Set<string | undefined>> = {}
  const all = names.map((name) =>
    storage.run(name, () => {
      const stores = (seen[name] = new Set())
      return build((value) => (stores.add(storage.getStore()), value)).run()
    }),
  )
  await Promise.all(all)
  return seen
}

const own = Object.fromEntries(names.map((name) => [name, new Set([name])]))

describe('the functions of runs that go on side by side see the context of their own run', () => {
  test('where they are synchronous, over many turns of the event loop', async () => {
    const seen = await found((look) => pipeline(range(200_000), map(look), filter(look), drain()))
    expect(seen).toEqual(own)
  })

  test('where they are async, before and after they have waited', async () => {
    const seen = await found((look) =>
      pipeline(
        range(300),
        map(async (n) => (look(n), await turns(n % 3), look(n)), { concurrency: 4 }),
        forEach(look),
      ),
    )
    expect(seen).toEqual(own)
  })

  test('where a value has a `then`, and its reader has to wait for the next turn of the event loop', async () => {
    const now = performance.now.bind(performance)
    const seen = await found((look) => {
      const value = {
        get then() {
          look(undefined)
          for (const until = now() + 0.5; now() < until;);
          return undefined
        },
      }
      const sends = stage<number, object>('sends', async (_, tx) => {
        for (let i = 0; i < 40; i++) tx.trySend(value)
      })
      const reads = stage<object, object>('reads', async (rx) => {
        for (let i = 0; i < 40; i++) expect(await rx.recv()).toBe(value)
      })
      return pipeline(range(1), sends, reads, drain())
    })
    expect(seen).toEqual(own)
  })

  test('in sources, branches, handlers and stages of their own', async () => {
    const seen = await found((look) => {
      async function* numbers() {
        for (let n = 0; n < 60; n++) {
          if (n % 7 === 0) await turns(1)
          yield look(n)
        }
      }
      const custom = stage<number, number>('custom', async (rx, tx) => {
        for await (const n of rx) await tx.send(look(n))
      })
      const failing = (n: number) => {
        if (look(n) % 5 === 0) throw new Error('five')
        return n
      }
      return pipeline(
        source(numbers),
        custom,
        map(failing, { onError: ({ value }) => void look(value), retry: { attempts: 2, delay: 1 } }),
        groupBy(
          (n) => look(n) % 3,
          () => map(look),
        ),
        fanOut({ a: map(look), b: filter(look) }),
        drain(),
      )
    })
    expect(seen).toEqual(own)
  })

  test('where async iterators and async calls of several runs come in at the same time', async () => {
    const seen = await found((look) => {
      async function* numbers() {
        for (let n = 0; n < 500; n++) yield await Promise.resolve(n)
      }
      return pipeline(
        source(numbers),
        map(async (n) => n),
        filter((n) => look(n) >= 0),
        map(async (n) => look(n)),
        forEach(look),
      )
    })
    expect(seen).toEqual(own)
  })

  test('where somebody else sends through a stage of their own', async () => {
    const stores = new Set<string | undefined>()
    const [opened, done] = [deferred<Sender<number>>(), deferred()]
    const running = storage.run('own', () =>
      pipeline(
        range(0),
        stage<number, number>('lent', (_, tx) => (opened.resolve(tx), done.promise)),
        map((n) => (stores.add(storage.getStore()), n)),
        drain(),
      ).run(),
    )
    const tx = await opened.promise
    for (let n = 0; n < 3; n++) {
      await storage.run('other', () => tx.send(n))
      await turns(2)
    }
    done.resolve()
    await running
    expect(stores).toEqual(new Set(['own']))
  })

  test('where somebody else stops it', async () => {
    const stores = new Set<string | undefined>()
    const begun = deferred()
    const run = storage.run('own', () =>
      pipeline(
        interval(1),
        tap(() => begun.resolve()),
        batch(1_000_000),
        forEach(() => void stores.add(storage.getStore())),
      ).start(),
    )
    await begun.promise
    await storage.run('other', () => run.stop())
    expect(stores).toEqual(new Set(['own']))
  })

  test.each(['stop', 'abort', 'signal'])(
    'in what cleans up, where somebody else ends it: %s',
    async (how) => {
      const stores: (string | undefined)[] = []
      const look = () => void stores.push(storage.getStore())
      const begun = deferred()
      const gate = deferred()
      function* numbers() {
        try {
          for (let n = 0; ; n++) yield n
        } finally {
          look()
        }
      }
      const wait = async (_: number, __: number, { signal }: { signal: AbortSignal }) => {
        signal.addEventListener('abort', look)
        begun.resolve()
        await gate.promise
      }
      const controller = new AbortController()
      const options = { signal: controller.signal, capacity: 1 }
      const run = storage.run('own', () => pipeline(source(numbers), forEach(wait)).start(options))
      const end: Record<string, () => unknown> = {
        stop: () => run.stop(),
        abort: () => run.abort(),
        signal: () => controller.abort(),
      }
      run.result.catch(() => {})
      await begun.promise
      const ended = storage.run('other', end[how])
      gate.resolve()
      await ended
      expect(stores).toEqual(how === 'stop' ? ['own'] : ['own', 'own'])
    },
  )

  test('where a function enters another context for good: that of the other runs stays theirs', async () => {
    const seen = await found((look) => {
      const enter = (n: number) => {
        if (storage.getStore() === 'one' && n === 100) storage.enterWith('entered')
        // How long it stays there is the runtime's to say: from Node 24 on, to the end of a turn of the engine at most.
        return look(n)
      }
      return pipeline(
        range(3_000),
        map(enter),
        filter(look),
        forEach(async (n) => look(n)),
      )
    })
    expect(seen).toEqual({ ...own, one: new Set(['one', 'entered']) })
    expect(storage.getStore()).toBeUndefined()
  })

  test('where one run reads what another sends', async () => {
    const [tx, rx] = channel<number>(2)
    const stores = new Set<string | undefined>()
    const reading = storage.run('reader', () =>
      pipeline(
        source(rx),
        forEach(() => void stores.add(storage.getStore())),
      ).run(),
    )
    await storage.run('writer', () =>
      pipeline(
        range(500),
        forEach((n) => tx.send(n)),
      ).run(),
    )
    tx.close()
    await reading
    expect(stores).toEqual(new Set(['reader']))
  })
})
