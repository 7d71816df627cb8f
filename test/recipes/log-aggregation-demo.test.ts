// The recipe log-aggregation without arguments, and what it shows.

import { spawnSync } from 'node:child_process'
import { describe, expect, it, vi } from 'vitest'
import { Folder, program } from './log-aggregation-program.ts'

vi.setConfig({ maxConcurrency: 2, testTimeout: 60_000 })

const soon = { timeout: 20_000, interval: 20 }
const servers = ['shop', 'auth', 'mail']

/** The process of a server that names itself in what it logs. */
async function serverProcess(folder: Folder): Promise<number> {
  const found = /auth\[(\d+)\]/.exec(await folder.read('aggregated.jsonl'))
  if (!found) throw new Error('No line of the server yet')
  return Number(found[1])
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

describe('log aggregation without arguments', () => {
  it.concurrent('collects what its own servers log, and ends', async () => {
    using folder = new Folder()
    const { code, stdout, stderr } = await folder.run(['--seconds', '1', '--every', '100'])
    const records = await folder.records()
    const [, requests] = /^([\d,]+) requests answered by 3 servers$/m.exec(stdout) ?? []

    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect([...new Set(records.map(({ source }) => source))].sort()).toEqual([...servers].sort())
    // Each server logs its start and its end besides.
    expect(records).toHaveLength(Number(requests.replaceAll(',', '')) + 6)
    for (const server of servers) expect(stdout).toMatch(new RegExp(`^${server} +[\\d,]+ `, 'm'))
    expect(stdout).toMatch(/^source +lines +info/m)
    expect(stdout).toContain('appended to aggregated.jsonl')
    expect(stdout).not.toContain('\r')
    expect(isRunning(await serverProcess(folder))).toBe(false)
  })

  it.concurrent('is stopped by SIGINT: writes what the servers logged, and leaves none running', async () => {
    using folder = new Folder()
    const started = folder.start('--seconds', '60', '--every', '20')
    const server = await vi.waitFor(() => serverProcess(folder), soon)
    started.child.kill('SIGINT')
    const { code, stdout } = await started.ended
    const messages = await folder.messages()

    expect(code).toBe(0)
    for (const name of servers) expect(messages).toContain(`${name} info: stopping`)
    expect(stdout).toContain('requests answered by 3 servers')
    expect(isRunning(server)).toBe(false)
  })

  it.concurrent('cannot write: ends at once', async () => {
    using folder = new Folder()
    const { code, stdout, stderr } = await folder.run([
      '--seconds',
      '600',
      '--every',
      '20',
      '--out',
      '/dev/full',
    ])

    expect(stderr).toMatch(
      /^Cannot write to \/dev\/full: no space left on the device \(ENOSPC\); 0 lines .*\n$/,
    )
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  })

  it.concurrent('is killed: the servers end by themselves', async () => {
    using folder = new Folder()
    const started = folder.start('--seconds', '60', '--every', '20')
    const server = await vi.waitFor(() => serverProcess(folder), soon)
    started.child.kill('SIGKILL')

    await vi.waitFor(() => expect(isRunning(server)).toBe(false), soon)
  })
})

describe('log aggregation shows', () => {
  it.concurrent('--help', async () => {
    using folder = new Folder()
    const { code, stdout } = await folder.run(['--help'])

    expect(code).toBe(0)
    const options = ['--out', '--batch', '--bytes', '--every', '--sync', '--level', '--seconds', '--help']
    for (const option of options) expect(stdout).toContain(`  ${option} `)
    expect(stdout).toContain('  --wait-when-full\n')
  })

  const hasTerminal = spawnSync('script', ['--version']).status === 0

  it.skipIf(!hasTerminal)('its progress on a terminal, and how full each channel is', async () => {
    using folder = new Folder()
    const command = [process.execPath, ...program, '--seconds', '1'].join(' ')
    const { ended } = folder.spawn('script', ['-qec', command, '/dev/null'])
    const { code, stdout } = await ended
    const [drawn] = stdout.split('\r\u001B[K').slice(1)

    expect(drawn).toMatch(/^[\d,]+ lines, [\d,]+\/s, [\d,]+ batch(es)? \| shop \d\/2 auth \d\/2 mail \d\/2/)
    expect(stdout).toContain('\r\u001B[Ksource ')
    expect(code).toBe(0)
  })

  it.skipIf(!hasTerminal)(
    'how full each channel is also where the terminal is too narrow for all inputs',
    async () => {
      using folder = new Folder()
      const command = `stty cols 70; ${[process.execPath, ...program, '--seconds', '1'].join(' ')}`
      const { stdout } = await folder.spawn('script', ['-qec', command, '/dev/null']).ended
      const drawn = stdout.split('\r\u001B[K').filter((line) => line.includes(' | '))

      expect(drawn[0]).toMatch(/ batch(es)? \| inputs \d\/6 fanIn \d\/2 parse \d+\/1024$/)
    },
  )
})
