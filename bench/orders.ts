// npm run bench:orders -- [--orders 1000000] [--rounds 3]
//
// A million orders of a CSV file, 7 columns with quoted cities: those that are paid, with a total and without their
// note, as JSON Lines. Every run is a fresh process, in an order that turns round after each round; "s" is its whole
// life. The baseline is a bare loop over the fastest parser there is, udsv.

import { execFile, execFileSync } from 'node:child_process'
import { createReadStream, createWriteStream, mkdtempSync, rmSync, statSync } from 'node:fs'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { parseArgs, promisify } from 'node:util'
import { bundleForNode } from './bundle.ts'
import { digits, whole } from './format.ts'
import { median, printMachine } from './machine.ts'

const { values: options } = parseArgs({
  options: { orders: { type: 'string', default: '1000000' }, rounds: { type: 'string', default: '3' } },
})
const count = Number(options.orders)
const folder = mkdtempSync(join(tmpdir(), 'sluice-orders-'))
process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
const [input, output] = [join(folder, 'orders.csv'), join(folder, 'paid.jsonl')]

interface Run {
  seconds: number
  /** Megabytes; other programs than Node's do not tell. */
  peak?: number
}

const program = await bundleForNode('bench/orders-loop.ts')
const inNode = (name: string) => ({ command: process.execPath, args: [program, name, input, output] })
const miller = [
  '--icsv',
  '--ojsonl',
  'filter',
  '$status == "paid"',
  'then',
  'put',
  '$total = $amount * $quantity',
]
const rivals = {
  'udsv, bare loop': inNode('udsv'),
  sluice: inNode('sluice'),
  'csv-parse, streams of Node': inNode('csv-parse'),
  mlr: {
    command: 'sh',
    args: [
      '-c',
      'out=$1; shift; exec mlr "$@" > "$out"',
      'sh',
      output,
      ...miller,
      'then',
      'cut',
      '-x',
      '-f',
      'note',
      input,
    ],
  },
  'duckdb, all in SQL': inNode('duckdb'),
}
type Rival = keyof typeof rivals
const names = Object.keys(rivals) as Rival[]
const running = names.filter((name) => isHere(name))

await writeOrders()
printMachine(['sluice', 'udsv', 'csv-parse', '@duckdb/node-api'])
console.log(
  `\norders: ${whole(count)} rows, ${Math.round(statSync(input).size / 1e6)} MB, ${options.rounds} rounds`,
)
const runs = new Map<Rival, Run[]>(names.map((name) => [name, []]))
const expected = new Set<string>()
for (let round = 0; round < Number(options.rounds); round++)
  for (const name of round % 2 === 0 ? running : running.toReversed()) runs.get(name)?.push(await run(name))

row('', 's', 'rows/s', 'ratio', 'peak MB')
const secondsOf = (name: Rival) => median((runs.get(name) ?? []).map(({ seconds }) => seconds))
for (const name of names) {
  if (!running.includes(name)) {
    row(name, 'n/a', 'n/a', 'n/a', 'n/a')
    continue
  }
  const seconds = secondsOf(name)
  const peaks = (runs.get(name) ?? []).flatMap(({ peak }) => peak ?? [])
  row(
    name,
    digits(seconds),
    whole(count / seconds),
    digits(seconds / secondsOf('udsv, bare loop')),
    peaks.length > 0 ? whole(Math.max(...peaks)) : 'n/a',
  )
}

function isHere(name: Rival): boolean {
  if (name !== 'mlr') return true
  try {
    execFileSync(name, ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

async function run(name: Rival): Promise<Run> {
  const { command, args } = rivals[name]
  const start = performance.now()
  const { stdout } = await promisify(execFile)(command, args)
  const seconds = (performance.now() - start) / 1000
  // All of them give the same; how they write numbers differs.
  expected.add(await summaryOf(output))
  if (expected.size > 1) throw new Error(`${name} differs: ${[...expected].join(', ')}`)
  return command === process.execPath ? { seconds, peak: Number(stdout) } : { seconds }
}

/** What all outputs must agree in. */
async function summaryOf(file: string): Promise<string> {
  let [rows, ids, cents, letters] = [0, 0, 0, 0]
  for await (const line of createInterface({ input: createReadStream(file) })) {
    const order = JSON.parse(line) as { id: number; city: string; total: number; note?: string }
    if (order.note !== undefined) throw new Error('There is a note left')
    rows++
    ids += order.id
    cents += Math.round(order.total * 100)
    letters += order.city.length
  }
  return [rows, ids, cents, letters].map(whole).join(' ')
}

/** Five of seven cities have a comma; one has quotes. */
async function writeOrders(): Promise<void> {
  const cities = [
    '"New York, NY"',
    '"Paris, France"',
    'Berlin',
    '"São Paulo, Brazil"',
    '"San José, ""CA"""',
    'Lima',
    '"Tokyo, Japan"',
  ]
  const states = ['paid', 'open', 'cancelled', 'paid', 'refunded']
  const out = createWriteStream(input)
  let state = 1
  const below = (limit: number) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff
    return Math.floor((state / 0x80000000) * limit)
  }
  let text = 'id,customer,city,status,amount,quantity,note\n'
  for (let id = 1; id <= count; id++) {
    const amount = (below(50_000) / 100).toFixed(2)
    text += `${id},customer${below(100_000)},${cities[below(7)]},${states[below(5)]},${amount},${1 + below(9)},note number ${id % 1000}\n`
    if (text.length < 1e6) continue
    if (!out.write(text)) await once(out, 'drain')
    text = ''
  }
  out.end(text)
  await once(out, 'close')
}

function row(name: string, ...cells: string[]): void {
  console.log(name.padEnd(30) + cells.map((cell) => cell.padStart(12)).join(''))
}
