// npm run bench:log -- [--lines 250000] [--rounds 3] [--files 4]
//
// recipes/log-aggregation.ts over files of about 120 bytes a line, half JSON and half plain text, beside the bare
// loops of log-loop.ts that do the same job. Every run is a fresh process. "wall" is its whole life; "job" is
// that without what the same program takes for empty files, so without starting Node and loading the code. The
// recipe runs twice: bundled, as `npm start` does, and from its source through tsx.

import { spawn } from 'node:child_process'
import { createReadStream, mkdtempSync, rmSync, statSync } from 'node:fs'
import { open, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { bundleForNode } from './bundle.ts'
import { median, printMachine, root } from './machine.ts'

const { values: options } = parseArgs({
  options: {
    lines: { type: 'string', default: '250000' },
    files: { type: 'string', default: '4' },
    rounds: { type: 'string', default: '3' },
  },
})
const folder = mkdtempSync(join(tmpdir(), 'sluice-logs-'))
process.once('exit', () => rmSync(folder, { recursive: true, force: true }))

const recipe = 'recipes/log-aggregation.ts'
const loop = await bundleForNode('bench/log-loop.ts')
const programs = {
  'bare loop': [loop],
  'bare loop, records spliced': [loop, '--splice'],
  'recipe, as npm start runs it': [await bundleForNode(recipe)],
  'recipe, from source through tsx': ['--import', 'tsx', recipe],
}
type Program = keyof typeof programs
const names = Object.keys(programs) as Program[]

interface Run {
  wall: number
  peakMegabytes: number
}

const linesEach = Number(options.lines)
const total = linesEach * Number(options.files)
const logs = await writeLogs('full', linesEach)
const empty = await writeLogs('empty', 0)
printMachine()
console.log(
  `\nlog-aggregation: ${logs.length} files, ${total.toLocaleString('en')} lines, ` +
    `${Math.round(logs.reduce((sum, file) => sum + statSync(file).size, 0) / 1e6)} MB, ${options.rounds} rounds`,
)

const idle = new Map<Program, Run[]>(names.map((name) => [name, []]))
const full = new Map<Program, Run[]>(names.map((name) => [name, []]))
for (let round = 0; round < Number(options.rounds); round++) {
  for (const name of round % 2 === 0 ? names : names.toReversed()) {
    idle.get(name)?.push(await run(name, empty, 0))
    full.get(name)?.push(await run(name, logs, total))
  }
}
row('', 'job s', 'wall s', 'lines/s', 'ratio', 'peak MB')
const baseline = jobOf('bare loop')
for (const name of names) {
  const job = jobOf(name)
  const runs = full.get(name) ?? []
  row(
    name,
    (job / 1000).toFixed(2),
    (median(runs.map(({ wall }) => wall)) / 1000).toFixed(2),
    Math.round(total / (job / 1000)).toLocaleString('en'),
    (job / baseline).toFixed(2),
    Math.max(...runs.map(({ peakMegabytes }) => peakMegabytes)).toFixed(0),
  )
}

function jobOf(name: Program): number {
  const wallOf = (runs: readonly Run[] = []) => median(runs.map(({ wall }) => wall))
  return wallOf(full.get(name)) - wallOf(idle.get(name))
}

async function writeLogs(kind: string, lines: number): Promise<string[]> {
  const files = Array.from({ length: Number(options.files) }, (_, i) => join(folder, `${kind}-${i}.log`))
  for (const [i, file] of files.entries()) {
    const handle = await open(file, 'w')
    for (let line = 0; line < lines; line += 1000) {
      const count = Math.min(1000, lines - line)
      await handle.write(Array.from({ length: count }, (_, j) => `${logLine(i, line + j)}\n`).join(''))
    }
    await handle.close()
  }
  return files
}

/** About 120 bytes: every second line JSON, the others as a daemon writes them. */
function logLine(file: number, line: number): string {
  const level = ['info', 'info', 'warn', 'error'][line % 4]
  const request = (line * 2_654_435_761) % 4_294_967_296
  return line % 2 === 0
    ? `{"level":"${level}","message":"request ${request} took ${line % 977} ms","host":"web-${file}","path":"/items/${line % 10_000}","status":200}`
    : `Nov 23 23:${String(line % 60).padStart(2, '0')}:17 web-${file} sluiced[4711]: ${level}: connection ${request} from 10.0.${line % 256}.${file} closed by peer after ${line % 977} ms`
}

/** Runs a program over the files in a process of its own and checks what it wrote. */
async function run(name: Program, files: readonly string[], lines: number): Promise<Run> {
  const output = join(folder, 'output.jsonl')
  const peak = join(folder, 'peak')
  const note = `import { writeFileSync } from 'node:fs'
    process.on('exit', () => writeFileSync(${JSON.stringify(peak)}, String(process.resourceUsage().maxRSS)))`
  const args = ['--import', `data:text/javascript,${encodeURIComponent(note)}`, ...programs[name]]
  await writeFile(output, '')
  const start = performance.now()
  await finished([...args, ...files, '--out', output])
  const wall = performance.now() - start
  if (lines > 0) await checkOutput(name, output, lines)
  return { wall, peakMegabytes: Number(await readFile(peak, 'utf8')) / 1024 }
}

async function finished(args: readonly string[]): Promise<void> {
  const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] })
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', resolve)
  })
  if (code !== 0) throw new Error(`node ${args.join(' ')} ended with ${code}`)
}

async function checkOutput(name: Program, output: string, lines: number): Promise<void> {
  let written = 0
  for await (const line of createInterface({ input: createReadStream(output) })) {
    if (written++ % 1000 === 0) JSON.parse(line)
  }
  if (written !== lines) throw new Error(`${name} wrote ${written} lines instead of ${lines}`)
}

function row(name: string, ...cells: string[]): void {
  console.log(name.padEnd(34) + cells.map((cell) => cell.padStart(12)).join(''))
}
