// Postgres to Postgres: the orders of a shop, joined and summed up by the server, cleaned and turned into euros on the
// way, into a table of totals. Rows go in by key, so the job may run as often as it likes: what is the same stays the
// same, and what has changed is put right.
//
//     orders ⋈ items ─▶ readPostgres ─▶ in euros ─▶ writePostgres ─▶ totals
//                                          └▶ refused: orders that cannot be used
//
// DATABASE_URL says where the server is; all happens in a schema of the recipe's own. Without it a server is started for
// the run, and where none is installed the recipe says so, and does nothing.

import assert from 'node:assert/strict'
import { map, pipeline, range, toArray } from 'sluice'
import { readPostgres, writePostgres } from 'sluice/postgres'
import { openShop } from './postgres-to-postgres/server.ts'

await using shop = await openShop()
const { connection, schema, client } = shop

// ---- the shop: addresses as they were typed, currencies as they came, and one nobody knows

await client.query(`
  CREATE TABLE ${schema}.orders (id int PRIMARY KEY, customer text, currency text, placed timestamptz);
  CREATE TABLE ${schema}.items (order_id int, quantity int, price numeric(10, 2));
  CREATE TABLE ${schema}.totals (order_id int PRIMARY KEY, customer text, cents bigint, day date)
`)

const orderOf = (id: number) => ({
  id,
  customer: id % 2 === 0 ? `Ada${id % 100}@Example.org` : ` bob${id % 100}@example.org `,
  currency: id === 1717 ? 'XXX' : ['EUR', 'usd', 'GBP '][id % 3],
  placed: new Date(Date.UTC(2026, 0, 1, id % 8760)),
})
const itemOf = (n: number) => ({ order_id: n >> 1, quantity: 1 + (n % 3), price: `${n % 90}.95` })
await pipeline(range(5000), map(orderOf), writePostgres('orders', { connection, schema })).run()
await pipeline(range(10_000), map(itemOf), writePostgres('items', { connection, schema })).run()

// ---- the job

interface Order {
  id: number
  customer: string
  currency: string
  placed: Date
  /** A numeric comes as text, as `pg` gives it: no digit is lost. */
  amount: string
}

const orders = `
  SELECT o.id, o.customer, o.currency, o.placed, sum(i.quantity * i.price) AS amount
  FROM ${schema}.orders o JOIN ${schema}.items i ON i.order_id = o.id
  GROUP BY o.id`

const euros = new Map([
  ['EUR', 1],
  ['USD', 0.86],
  ['GBP', 1.14],
])

function inEuros({ id, customer, currency, placed, amount }: Order) {
  const rate = euros.get(currency.trim().toUpperCase())
  if (rate === undefined) throw new RangeError(`order ${id}: no rate for the currency "${currency}"`)
  return {
    order_id: id,
    customer: customer.trim().toLowerCase(),
    cents: Math.round(Number(amount) * 100 * rate),
    day: placed.toISOString().slice(0, 10),
  }
}

const refused: string[] = []
const job = pipeline(
  readPostgres<Order>(orders, { connection }),
  map(inEuros, { onError: ({ error }) => void refused.push((error as Error).message) }),
  writePostgres('totals', { connection, schema, key: 'order_id' }),
)

// ---- twice, and once more when an order has changed

const totals = () =>
  pipeline(
    readPostgres<{ order_id: number; customer: string; cents: string; day: string }>(
      `SELECT order_id, customer, cents, day::text FROM ${schema}.totals ORDER BY order_id`,
      { connection },
    ),
    toArray(),
  ).run()

const { count } = await job.run()
const first = await totals()
console.log(`${count} totals`)
console.log(refused.join('\n'))
assert.deepEqual(refused, ['order 1717: no rate for the currency "XXX"'])
assert.equal(first.length, 4999)
// Three at 2.95 and one at 3.95, in dollars: 12.80 × 0.86.
assert.deepEqual(first[1], { order_id: 1, customer: 'bob1@example.org', cents: '1101', day: '2026-01-01' })

await job.run()
assert.deepEqual(await totals(), first)
console.log('the second time, nothing has changed')

await client.query(`INSERT INTO ${schema}.items VALUES (3, 2, 100)`)
await job.run()
const changed = (await totals()).filter(({ cents }, i) => cents !== first[i].cents)
assert.deepEqual(changed, [{ ...first[3], cents: String(Number(first[3].cents) + 20_000) }])
console.log('an order got an item more, and its total is right again')
