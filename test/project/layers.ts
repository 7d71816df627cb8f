// Who may import whom in src/. A rule looks at one import at a time, so the whole check is a loop over edges;
// reading the imports is left to TypeScript, which also sees `import type`, re-exports and `import()`.

import { readFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import ts from 'typescript'
import { sourceFiles } from './sources.ts'

/** Each file (as `src/channel/select.ts`) with what it imports: such a path, or the name of a module. */
export type ImportGraph = Record<string, string[]>

/** From the bottom up: an import goes to a lower number or stays in its own folder. */
const heights: Record<string, number> = {
  errors: 0,
  channel: 1,
  pipeline: 2,
  stages: 3,
  connect: 3,
  io: 4,
  inspect: 4,
  testing: 5,
}
/** Folders whose files, or folders, stand side by side and do not know each other; an `index.ts` knows them all. */
const families = ['stages', 'io']
const entry = 'src/index.ts'
/** For tests: nothing that is shipped to run may import it. */
const testKit = 'testing'
const corePackages = ['ix']

/** Reads the imports of every file below `src/` of the project at `root`. */
export function readImports(root: string): ImportGraph {
  const graph: ImportGraph = {}
  for (const file of sourceFiles(root)) {
    const { importedFiles } = ts.preProcessFile(readFileSync(join(root, file), 'utf8'), true, true)
    graph[file] = importedFiles.map(({ fileName }) => resolveImport(file, fileName))
  }
  return graph
}

/** A name with a query is a copy of a module. */
function resolveImport(from: string, name: string): string {
  const path = name.replace(/\?.*$/, '')
  return name.startsWith('.') ? posix.join(posix.dirname(from), path).replace(/\.js$/, '.ts') : name
}

/** One sentence for each import that breaks a rule; none where the layering holds. */
export function layerViolations(graph: ImportGraph): string[] {
  const edges = Object.entries(graph).flatMap(([from, targets]) => targets.map((to) => ({ from, to })))
  const inside = edges.filter(({ to }) => to.startsWith('src/'))
  return [
    ...Object.keys(graph)
      .filter(hasNoLayer)
      .map((file) => `${file} is in no layer`),
    ...inside
      .filter(({ to }) => !(to in graph))
      .map(({ from, to }) => `${from} imports ${to}, which does not exist`),
    ...inside.filter(goesUp).map(({ from, to }) => `${from} imports ${to}, which is not below it`),
    ...inside.filter(isSibling).map(({ from, to }) => `${from} imports its sibling ${to}`),
    ...coreImports(graph).map(({ from, to }) => `${from} imports ${to}, which the core must not`),
  ]
}

interface Edge {
  from: string
  to: string
}

/** `channel` for `src/channel/select.ts`, `errors` for `src/errors.ts`. */
function layerOf(file: string): string {
  return file.split('/')[1].replace(/\.ts$/, '')
}

/** `csv` for `src/io/csv/parser.ts` and for `src/io/csv.ts`. */
function memberOf(file: string): string {
  return file.split('/')[2].replace(/\.ts$/, '')
}

function hasNoLayer(file: string): boolean {
  return file !== entry && !(layerOf(file) in heights)
}

function goesUp({ from, to }: Edge): boolean {
  if (to === entry) return true
  if (from === entry) return layerOf(to) === testKit
  return layerOf(from) !== layerOf(to) && !(heights[layerOf(to)] < heights[layerOf(from)])
}

function isSibling({ from, to }: Edge): boolean {
  const inFamily = layerOf(from) === layerOf(to) && families.includes(layerOf(from))
  return inFamily && memberOf(from) !== memberOf(to) && memberOf(from) !== 'index'
}

/** What the entry and all it reaches import from outside `src/`, and should not. */
function coreImports(graph: ImportGraph): Edge[] {
  const reached = new Set([entry])
  const found: Edge[] = []
  for (const from of reached) {
    for (const to of graph[from] ?? []) {
      if (to.startsWith('src/')) reached.add(to)
      else if (!corePackages.includes(to.split('/')[0])) found.push({ from, to })
    }
  }
  return found
}
