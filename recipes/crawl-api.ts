// An HTTP API, crawled politely: so many requests a second, further tries where it is overloaded, and what will not
// come is kept apart. The API is a small server of our own that behaves as real ones do.
//
//     pages ─▶ throttle ─▶ fetch (4 at a time, retry) ─▶ products ─▶ products.jsonl
//                              └─▶ missing.jsonl

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import { type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { channel, flatMap, map, pipeline, range, source, throttle } from 'sluice'
import { readJsonl, writeJsonl } from 'sluice/io'

// ---- the API: 40 pages of 5 products; every seventh request is turned away at first, and page 13 is broken

const asked = new Map<string, number>()
let requests = 0
const server = createServer((request, response) => {
  const page = Number(new URL(request.url!, 'http://localhost').searchParams.get('page'))
  const times = (asked.get(request.url!) ?? 0) + 1
  asked.set(request.url!, times)
  requests++
  if (page === 13) response.writeHead(500).end()
  else if (page % 7 === 0 && times === 1) response.writeHead(429).end()
  else {
    const products = Array.from({ length: 5 }, (_, i) => ({ id: page * 5 + i, price: 1 + ((page * i) % 9) }))
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ products }))
  }
}).listen(0, '127.0.0.1')
await once(server, 'listening')
const api = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

// ---- the crawler

interface Product {
  id: number
  price: number
}

async function fetchPage(page: number, _index: number, { signal }: { signal: AbortSignal }) {
  const response = await fetch(`${api}/products?page=${page}`, { signal })
  if (!response.ok) throw new Error(`page ${page}: status ${response.status}`)
  return (await response.json()) as { products: Product[] }
}

const folder = await mkdtemp(join(tmpdir(), 'sluice-crawl-'))
const [missing, missed] = channel<{ page: number; reason: string }>(16)

const keeping = pipeline(source(missed), writeJsonl(join(folder, 'missing.jsonl'))).run()
const { count } = await pipeline(
  range(40),
  throttle({ count: 200, per: 1000, burst: 10 }),
  map(fetchPage, {
    name: 'fetch',
    concurrency: 4,
    timeout: 5000,
    retry: { attempts: 3, delay: 20 },
    onError: ({ value, error }) => missing.send({ page: value, reason: String(error) }),
  }),
  flatMap(({ products }) => products),
  writeJsonl<Product>(join(folder, 'products.jsonl')),
).run()
missing.close()
await keeping
server.close()

console.log(`${count} products in ${requests} requests`)
for (const { page, reason } of await pipeline(
  readJsonl<{ page: number; reason: string }>(join(folder, 'missing.jsonl')),
).run())
  console.log(`page ${page} is missing: ${reason}`)

const products = await pipeline(readJsonl<Product>(join(folder, 'products.jsonl'))).run()
assert.equal(products.length, 39 * 5)
// In the order of the pages, though four were fetched at a time.
assert.deepEqual(
  products.map(({ id }) => id),
  [...Array(200).keys()].filter((id) => Math.floor(id / 5) !== 13),
)
assert.equal(requests, 40 + 5 + 2 + 1) // Five were turned away once, the broken one was tried twice more; page 0 counts as the sixth.
await rm(folder, { recursive: true })
