// One TypeScript program over src/ and all examples, which exist in memory only: types are checked once, and
// the same program tells what the entries export and how it is documented.

import { dirname } from 'node:path'
import ts from 'typescript'
import type { Example } from './examples.ts'
import { root } from './sources.ts'

const files = [
  'index.ts',
  'inspect/index.ts',
  'inspect/telemetry.ts',
  'io/duckdb/index.ts',
  'io/index.ts',
  'io/postgres/index.ts',
  'io/sqlite/index.ts',
  'testing/index.ts',
]
const entries = files.map((file) => `${root}src/${file}`)

/** What the type checker has to say about the examples and the entries. */
export interface Checked {
  /** One line for each type error in an example, as `README.md:12: …`. */
  errors: string[]
  /** The exported functions whose doc comment has no `@example`. */
  withoutExample: string[]
  /** What is exported, types included, and has no doc comment. */
  withoutComment: string[]
}

/** Type-checks the examples against `src/`; `globals` are the exports that are in scope without an import. */
export function typecheck(examples: readonly Example[], globals: readonly string[]): Checked {
  const files = new Map(examples.map((example, i) => [`${root}example-${i}.ts`, example]))
  const texts = new Map([...files].map(([path, { code }]) => [path, `${code}\nexport {}`]))
  texts.set(`${root}example-globals.ts`, globalDeclarations(globals))
  const options = compilerOptions()
  const program = ts.createProgram([...entries, ...texts.keys()], options, hostWith(texts, options))
  return {
    errors: [...files].flatMap(([path, example]) => errorsIn(program, path, example)),
    withoutExample: entries.flatMap((entry) => undocumented(program, entry)),
    withoutComment: entries.flatMap((entry) => uncommented(program, entry)),
  }
}

function globalDeclarations(names: readonly string[]): string {
  const constants = names.map((name) => `const ${name}: typeof sluice.${name}`)
  return `import type * as sluice from 'sluice'\ndeclare global {\n${constants.join('\n')}\n}`
}

/** The project's own options; an example may leave a variable unused. */
function compilerOptions(): ts.CompilerOptions {
  const path = `${root}tsconfig.json`
  const { config } = ts.readConfigFile(path, (file) => ts.sys.readFile(file)) as { config: unknown }
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, dirname(path), undefined, path)
  return { ...options, noUnusedLocals: false, noUnusedParameters: false }
}

function hostWith(texts: ReadonlyMap<string, string>, options: ts.CompilerOptions): ts.CompilerHost {
  const host = ts.createCompilerHost(options, true)
  return {
    ...host,
    fileExists: (path) => texts.has(path) || host.fileExists(path),
    readFile: (path) => texts.get(path) ?? host.readFile(path),
    getSourceFile: (path, version) => {
      const text = texts.get(path)
      return text === undefined
        ? host.getSourceFile(path, version)
        : ts.createSourceFile(path, text, version, true)
    },
  }
}

function errorsIn(program: ts.Program, path: string, { file, line }: Example): string[] {
  const source = program.getSourceFile(path)
  return [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)].map(
    ({ start = 0, messageText }) => {
      const at = source?.getLineAndCharacterOfPosition(start).line ?? 0
      return `${file}:${line + at}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`
    },
  )
}

function undocumented(program: ts.Program, entry: string): string[] {
  const checker = program.getTypeChecker()
  return exportsOf(program, entry)
    .filter((symbol) => checker.getTypeOfSymbol(symbol).getCallSignatures().length > 0)
    .filter((symbol) => !symbol.getJsDocTags(checker).some(({ name }) => name === 'example'))
    .map(({ name }) => name)
}

function uncommented(program: ts.Program, entry: string): string[] {
  const checker = program.getTypeChecker()
  return exportsOf(program, entry)
    .filter((symbol) => symbol.getDocumentationComment(checker).length === 0)
    .map(({ name }) => name)
}

function exportsOf(program: ts.Program, entry: string): ts.Symbol[] {
  const checker = program.getTypeChecker()
  const source = program.getSourceFile(entry)
  const module = source && checker.getSymbolAtLocation(source)
  if (!module) throw new Error(`${entry} exports nothing`)
  return checker
    .getExportsOfModule(module)
    .map((symbol) => (symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol))
}
