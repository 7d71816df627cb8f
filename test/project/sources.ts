import { readdirSync } from 'node:fs'

/** The root folder of the project. */
export const root = new URL('../..', import.meta.url).pathname

/** Every TypeScript file below `src/` of the project at `folder`, as `src/channel/select.ts`, sorted; no declarations. */
export function sourceFiles(folder = root): string[] {
  const files = readdirSync(`${folder}/src`, { recursive: true, encoding: 'utf8' })
  return files
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.d.ts'))
    .map((file) => `src/${file.replaceAll('\\', '/')}`)
    .sort()
}
