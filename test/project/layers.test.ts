import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { layerViolations, readImports } from './layers.ts'
import { root, sourceFiles } from './sources.ts'

interface Manifest {
  dependencies?: Record<string, string>
  peerDependencies?: Record<string, string>
}

const packageOf = (name: string) => name.split('/', name.startsWith('@') ? 2 : 1).join('/')

describe('src/', () => {
  const graph = readImports(root)

  it('has an entry that reaches the channels, the pipeline and the stages', () => {
    const imports = graph['src/index.ts'].map((file) => file.split('/')[1])
    expect(imports).toEqual(expect.arrayContaining(['channel', 'pipeline', 'stages']))
  })

  it('keeps its layers: imports go downwards, families do not know each other, the core needs no platform', () => {
    expect(layerViolations(graph)).toEqual([])
  })

  it('imports no package that its users would not have', () => {
    const { dependencies, peerDependencies } = JSON.parse(
      readFileSync(`${root}/package.json`, 'utf8'),
    ) as Manifest
    const installed = Object.keys({ ...dependencies, ...peerDependencies })
    const imported = Object.values(graph)
      .flat()
      .filter((name) => name !== 'sluice' && !/^(src\/|node:)/.test(name))
    expect(installed).toEqual(expect.arrayContaining(imported.map(packageOf)))
  })

  it('names what it imports on demand: webpack gives nothing for what a variable names', () => {
    const named = sourceFiles(root).filter((file) =>
      /\bimport\((?!['"])/.test(readFileSync(`${root}/${file}`, 'utf8')),
    )
    expect(named).toEqual([])
  })
})

describe('the tree of src/ in README.md', () => {
  const readme = readFileSync(`${root}/README.md`, 'utf8')
  const [, tree] = /```text\nsrc\/\n(.*?)\n```/s.exec(readme)!
  // A name, or several, and what is said of them behind two spaces or more.
  const named = (line: string) => line.trim().split(/ {2,}/, 1)[0].split(' ')

  it('has each folder once', () => {
    const folders = tree.split('\n').flatMap((line) => (/^ {2}\S+\//.test(line) ? named(line) : []))
    const there = readdirSync(`${root}/src`, { withFileTypes: true }).filter((entry) => entry.isDirectory())
    expect(folders.sort()).toEqual(there.map(({ name }) => `${name}/`).sort())
  })

  it('names nothing that is not there', () => {
    let folder = ''
    const missing: string[] = []
    for (const line of tree.split('\n')) {
      const indent = /^ */.exec(line)![0].length
      if (indent === 0) break
      if (indent === 2) [folder] = named(line)
      const paths = indent === 2 ? [folder] : named(line).map((name) => `${folder}${name}`)
      missing.push(...paths.filter((path) => !path.endsWith('…') && !existsSync(`${root}/src/${path}`)))
    }
    expect(missing).toEqual([])
  })
})

describe('the layer check', () => {
  const sound = {
    'src/index.ts': ['src/errors.ts', 'src/channel/channel.ts', 'src/stages/sink.ts', 'src/stages/group.ts'],
    'src/errors.ts': [],
    'src/channel/core.ts': ['src/errors.ts'],
    'src/channel/channel.ts': ['src/channel/core.ts'],
    'src/pipeline/run.ts': ['src/channel/channel.ts', 'src/errors.ts', 'ix'],
    'src/stages/group.ts': ['src/pipeline/run.ts'],
    'src/stages/sink.ts': ['src/pipeline/run.ts', 'src/channel/channel.ts'],
    'src/io/files.ts': ['src/stages/sink.ts', 'node:fs'],
    'src/testing/script.ts': [
      'src/stages/sink.ts',
      'src/pipeline/run.ts',
      'src/channel/core.ts',
      'some-clock',
    ],
  }

  it('accepts imports downwards and within a layer', () => {
    expect(layerViolations(sound)).toEqual([])
  })

  it.each([
    ['src/errors.ts', 'src/channel/core.ts', 'which is not below it'],
    ['src/channel/core.ts', 'src/pipeline/run.ts', 'which is not below it'],
    ['src/pipeline/run.ts', 'src/stages/sink.ts', 'which is not below it'],
    ['src/stages/group.ts', 'src/io/files.ts', 'which is not below it'],
    ['src/channel/core.ts', 'src/index.ts', 'which is not below it'],
    ['src/testing/script.ts', 'src/index.ts', 'which is not below it'],
    ['src/stages/sink.ts', 'src/testing/script.ts', 'which is not below it'],
    ['src/io/files.ts', 'src/testing/script.ts', 'which is not below it'],
    ['src/index.ts', 'src/testing/script.ts', 'which is not below it'],
    ['src/channel/core.ts', 'src/channel/gone.ts', 'which does not exist'],
    ['src/channel/core.ts', 'node:fs', 'which the core must not'],
    ['src/pipeline/run.ts', 'rxjs/operators', 'which the core must not'],
  ])('rejects %s importing %s', (from, to, why) => {
    expect(layerViolations({ ...sound, [from]: [to] })).toContain(`${from} imports ${to}, ${why}`)
  })

  it('rejects a family that imports its sibling', () => {
    const graph = { ...sound, 'src/stages/group.ts': ['src/stages/sink.ts'] }
    expect(layerViolations(graph)).toEqual(['src/stages/group.ts imports its sibling src/stages/sink.ts'])
  })

  it('rejects a file that belongs to no layer', () => {
    expect(layerViolations({ ...sound, 'src/helpers.ts': [] })).toEqual(['src/helpers.ts is in no layer'])
  })

  it('rejects a Node import that the entry reaches through others, and only there', () => {
    const reached = { ...sound, 'src/channel/core.ts': ['node:util'] }
    expect(layerViolations(reached)).toEqual([
      'src/channel/core.ts imports node:util, which the core must not',
    ])
  })
})
