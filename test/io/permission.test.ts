/** Under the permission model of Node, which refuses what is done to a file by its descriptor alone. */
import { readFileSync, statSync } from 'node:fs'
import { expect, test } from 'vitest'
import { bundledText } from '../support/bundled-program.ts'
import { runCommand } from '../support/child-program.ts'
import { fileOf, useFolder } from './support-files.ts'

const path = useFolder()

test.runIf(process.allowedNodeEnvironmentFlags.has('--permission'))(
  'a file is replaced, and keeps its mode',
  async () => {
    const file = fileOf(path('a.txt'), 'old\n')
    const { mode } = statSync(file)
    await using program = await bundledText(
      `import { pipeline, source } from 'sluice'
       import { writeLines } from 'sluice/io'
       await pipeline(source(['new']), writeLines(${JSON.stringify(file)})).run()`,
      'replaces.ts',
    )
    const allowed = ['--permission', '--allow-fs-read=*', '--allow-fs-write=*']
    const { code, stderr } = await runCommand(process.execPath, [...allowed, ...program.args], 15_000)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect([readFileSync(file, 'utf8'), statSync(file).mode]).toEqual(['new\n', mode])
  },
)
