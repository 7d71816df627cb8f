// The job of orders.ts in one process: orders.csv in, the paid ones with their total and without their note out as
// JSON Lines. Arguments: who does it, the input and the output. Prints what memory the process held at most.

import { createReadStream, createWriteStream } from 'node:fs'
import { once } from 'node:events'
import { Transform } from 'node:stream'
import { pipeline as streams } from 'node:stream/promises'
import { filter, map, pipeline } from 'sluice'
import { readCsv, writeJsonl } from 'sluice/io'

interface Order {
  id: number
  customer: string
  city: string
  status: string
  amount: number
  quantity: number
  note: string
}

/**
 * The columns written out: on Node 20 `{ ...order, total }` gives each object a shape of its own, which costs a microsecond a
 * row, here as in the loop (half a second).
 */
const withTotal = ({ id, customer, city, status, amount, quantity }: Order) => ({
  id,
  customer,
  city,
  status,
  amount,
  quantity,
  total: amount * quantity,
})

const numbers = ['id', 'amount', 'quantity']

const rivals: Record<string, (input: string, output: string) => Promise<unknown>> = {
  sluice: (input, output) =>
    pipeline(
      readCsv(input, {
        types: {
          id: 'number',
          customer: 'string',
          city: 'string',
          status: 'string',
          amount: 'number',
          quantity: 'number',
          note: 'string',
        },
      }),
      filter((order) => order.status === 'paid'),
      map(withTotal),
      writeJsonl(output),
    ).run(),

  // As bare as it gets: no stages, one callback for all chunks, as the parser keeps the first one it is given.
  async udsv(input, output) {
    const { inferSchema, initParser } = await import('udsv')
    const out = createWriteStream(output)
    let text = ''
    const each = (order: Order): boolean => {
      if (order.status !== 'paid') return true
      text += `${JSON.stringify(withTotal(order))}\n`
      return true
    }
    let parser: ReturnType<typeof initParser> | undefined
    for await (const chunk of createReadStream(input, { encoding: 'utf8', highWaterMark: 65_536 })) {
      parser ??= initParser(inferSchema(chunk as string))
      parser.chunk(chunk as string, parser.typedObjs as never, each as never)
      if (!out.write(text)) await once(out, 'drain')
      text = ''
    }
    parser?.end()
    out.end(text)
    await once(out, 'close')
  },

  async 'csv-parse'(input, output) {
    const { parse } = await import('csv-parse')
    const paid = new Transform({
      objectMode: true,
      transform(order: Order, _encoding, done) {
        if (order.status !== 'paid') return done()
        done(null, `${JSON.stringify(withTotal(order))}\n`)
      },
    })
    const cast = (value: string, { header, column }: { header: boolean; column: string | number }) =>
      !header && numbers.includes(String(column)) ? Number(value) : value
    await streams(createReadStream(input), parse({ columns: true, cast }), paid, createWriteStream(output))
  },

  // Its own SQL from end to end: no row passes through JavaScript.
  async duckdb(input, output) {
    const { DuckDBInstance } = await import('@duckdb/node-api')
    const connection = await (await DuckDBInstance.create()).connect()
    await connection.run(
      `COPY (SELECT * EXCLUDE (note), amount * quantity AS total FROM read_csv('${input}')
         WHERE status = 'paid') TO '${output}' (FORMAT json)`,
    )
    connection.closeSync()
  },
}

const [name, input, output] = process.argv.slice(2)
await rivals[name](input, output)
console.log(process.resourceUsage().maxRSS / 1024)
