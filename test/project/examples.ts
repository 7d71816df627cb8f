// The examples of the documentation as programs: found in Markdown and in doc comments, then made runnable.
//
// An example is ordinary TypeScript. It may import from 'sluice', and need not: every export is in scope. What
// makes it a test is a comment after a statement, on the same line or the next:
//
//   await pipeline(range(3), toArray()).run() // => [0, 1, 2]
//   batch(0) // => throws RangeError: Cannot create batch
//
// The value is a JavaScript expression and is compared deeply with what the statement before it gave, awaited:
// an expression, the one argument of console.log, or the variable declared there. It may go on over further
// comment lines. After `throws` comes the beginning of the error's text. A claim that stands nowhere near a
// value is an error of its own, so that none is believed unchecked.
//
// Statements are rewritten where they stand and run as the body of an async function. A module per example was
// rejected: it would have to live in a file inside the project for 'sluice' to be found.

import ts from 'typescript'

/** One block of code in the documentation. */
export interface Example {
  /** Where the code begins, as `README.md:12`. */
  name: string
  file: string
  line: number
  code: string
  /** False for a block marked `no-run`, which is only checked for its types. */
  runs: boolean
}

/** What an example calls instead of its imports and claims. */
export interface Runtime {
  load(module: string): Promise<unknown>
  check(line: number, actual: unknown, expected: unknown): void
  throws(line: number, action: () => unknown, expected: string): Promise<void>
}

const fence = /^([^\S\n]*)```(?:ts|typescript)\b([^\n]*)\n([\s\S]*?)^[^\S\n]*```[^\S\n]*$/gm

/** The fenced `ts` blocks of a Markdown text; `firstLine` is the line its text begins at. */
export function markdownExamples(file: string, text: string, firstLine = 1): Example[] {
  return [...text.matchAll(fence)].map(({ 1: indent, 2: info, 3: body, index }) => {
    const line = firstLine + text.slice(0, index).split('\n').length
    const code = body.replaceAll(new RegExp(`^${indent}`, 'gm'), '')
    return { name: `${file}:${line}`, file, line, code, runs: !info.includes('no-run') }
  })
}

/** The fenced blocks of the doc comments of a source text, and each `@example` that has no fence. */
export function docExamples(file: string, text: string): Example[] {
  return [...text.matchAll(/\/\*\*[\s\S]*?\*\//g)].flatMap(({ 0: comment, index }) => {
    const body = comment.slice(3, -2).replaceAll(/^[^\S\n]*\* ?/gm, '')
    const firstLine = text.slice(0, index).split('\n').length
    return [...markdownExamples(file, body, firstLine), ...bareExamples(file, body, firstLine)]
  })
}

function bareExamples(file: string, body: string, firstLine: number): Example[] {
  return [...body.matchAll(/^@example[^\n]*\n([\s\S]*?)(?=^@|$(?![\s\S]))/gm)]
    .filter(({ 1: code }) => !code.includes('```'))
    .map(({ 1: code, index }) => {
      const line = firstLine + body.slice(0, index).split('\n').length
      return { name: `${file}:${line}`, file, line, code, runs: true }
    })
}

/** The example as the text of an async function of the names in `Runtime`; `globals` are in scope around it. */
export function toProgram(example: Example, globals: readonly string[]): string {
  const wrapped =
    `(async ({ load, check, throws }, console, { ${globals.join(', ')} }) => (async () => {` +
    `${rewrite(example)}\n})())`
  return ts.transpileModule(wrapped, {
    compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext },
  }).outputText
}

interface Edit {
  start: number
  end: number
  text: string
}

function rewrite(example: Example): string {
  // Without an import or export TypeScript would not take `await` at the top for one.
  const source = ts.createSourceFile('example.ts', `${example.code}\nexport {}`, ts.ScriptTarget.ESNext, true)
  const edits: Edit[] = []
  let claims = 0
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) edits.push(replace(node, loading(node)))
    if (node.kind === ts.SyntaxKind.ExportKeyword) edits.push(replace(node, ''))
    const claim = ts.isStatement(node) ? claimAfter(node, example) : undefined
    const checked = claim && checkOf(node, claim)
    if (checked) {
      claims++
      edits.push(checked)
    }
    ts.forEachChild(node, visit)
  }
  source.statements.slice(0, -1).forEach(visit)
  const written = example.code.match(/\/\/ =>/g)?.length ?? 0
  if (claims !== written) {
    throw new SyntaxError(`${example.name} has ${written} claims, of which ${claims} follow a value`)
  }
  return applyEdits(example.code, edits)
}

function replace(node: ts.Node, text: string): Edit {
  return { start: node.getStart(), end: node.end, text }
}

function applyEdits(code: string, edits: Edit[]): string {
  return edits
    .sort((a, b) => b.start - a.start)
    .reduce((text, { start, end, text: inserted }) => text.slice(0, start) + inserted + text.slice(end), code)
}

/** `import { a as b } from 'x'` as `const { a: b } = await load('x')`. */
function loading({ importClause, moduleSpecifier }: ts.ImportDeclaration): string {
  const loaded = `await load(${moduleSpecifier.getText()});`
  if (!importClause) return loaded
  if (importClause.isTypeOnly) return ''
  const { name, namedBindings } = importClause
  const names = name ? [`default: ${name.text}`] : []
  if (namedBindings && ts.isNamespaceImport(namedBindings))
    return `const ${namedBindings.name.text} = ${loaded}`
  for (const element of namedBindings?.elements ?? []) {
    if (!element.isTypeOnly)
      names.push(`${(element.propertyName ?? element.name).text}: ${element.name.text}`)
  }
  return `const { ${names.join(', ')} } = ${loaded}`
}

interface Claim {
  line: number
  text: string
}

/** The claim that follows a statement on its line or begins the next one. */
function claimAfter(statement: ts.Statement, { code, line, name }: Example): Claim | undefined {
  const match = /^;?[^\S\n]*(?:\n[^\S\n]*)?\/\/ => (.*)((?:\n[^\S\n]*\/\/.*)*)/.exec(
    code.slice(statement.end),
  )
  if (!match) return undefined
  const at = line + code.slice(0, statement.end).split('\n').length - 1
  const more = match[2].split('\n').slice(1)
  let text = match[1]
  while (!text.startsWith('throws ') && !isExpression(text)) {
    if (more.length === 0) throw new SyntaxError(`${name}: the claim in line ${at} is no expression: ${text}`)
    text += `\n${more.shift()?.replace(/^\s*\/\//, '')}`
  }
  return { line: at, text }
}

function isExpression(text: string): boolean {
  const { parseDiagnostics } = ts.createSourceFile(
    'value.ts',
    `(${text}\n)`,
    ts.ScriptTarget.ESNext,
  ) as unknown as {
    parseDiagnostics: unknown[]
  }
  return parseDiagnostics.length === 0
}

/** The statement with its claim checked, or undefined where it has no value to look at. */
function checkOf(statement: ts.Node, { line, text }: Claim): Edit | undefined {
  const wait = ts.findAncestor(statement, ts.isFunctionLike) && !isInAsync(statement) ? '' : 'await '
  if (ts.isExpressionStatement(statement)) {
    const value = loggedValue(statement.expression).getText()
    if (text.startsWith('throws ')) {
      const expected = JSON.stringify(text.slice('throws '.length).trim())
      return replace(statement, `;${wait}throws(${line}, async () => (${value}), ${expected});`)
    }
    return replace(statement, `;check(${line}, ${wait}(${value}), (${text}\n));`)
  }
  if (!ts.isVariableStatement(statement)) return undefined
  const { name } = statement.declarationList.declarations[0]
  if (!ts.isIdentifier(name)) return undefined
  return {
    start: statement.end,
    end: statement.end,
    text: `;check(${line}, ${wait}${name.text}, (${text}\n));`,
  }
}

function isInAsync(node: ts.Node): boolean {
  const parent = ts.findAncestor(node, ts.isFunctionLike)
  const modifiers = parent && ts.canHaveModifiers(parent) ? ts.getModifiers(parent) : undefined
  return modifiers?.some(({ kind }) => kind === ts.SyntaxKind.AsyncKeyword) ?? false
}

function loggedValue(expression: ts.Expression): ts.Expression {
  const isLog = ts.isCallExpression(expression) && expression.expression.getText() === 'console.log'
  return isLog && expression.arguments.length === 1 ? expression.arguments[0] : expression
}
