/**
 * A Postgres of our own: in a temporary folder, on a Unix socket and a port that the system chose.
 *
 * A shell stands between: it ends the server and removes the folder as soon as its input is at an end, so nothing
 * stays behind even where the tests are killed. The server refuses to be root, so there it runs as another user.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import type { ClientConfig } from 'pg'

/** Where the programs of the server are; `undefined` on a machine without one. */
export const postgresBin = [
  process.env.POSTGRES_BIN,
  ...debian(),
  ...(process.env.PATH ?? '').split(delimiter),
]
  .filter((folder): folder is string => folder !== undefined && folder !== '')
  .find((folder) => ['initdb', 'postgres', 'psql'].every((program) => existsSync(join(folder, program))))

export const noPostgres =
  'No Postgres: sluice/postgres is not tested (Debian: apt-get install postgresql, or name its programs in POSTGRES_BIN)'

/**
 * Whether the connection was lost. A server that is ended says so first (57P01), but not where it waits for room to
 * write; then the connection just ends. Where we write before we read its last words, they are lost as well.
 */
export const isLost = ({ code = '', message }: Error & { code?: string }): boolean =>
  ['57P01', 'ECONNRESET', 'EPIPE'].includes(code) || message.includes('Connection terminated unexpectedly')

/** Debian keeps them out of the path. The newest comes first. */
function debian(): string[] {
  const home = '/usr/lib/postgresql'
  const versions = existsSync(home) ? readdirSync(home) : []
  return versions.sort((a, b) => Number(b) - Number(a)).map((version) => join(home, version, 'bin'))
}

/** Runs the server; when the input ends, ends it and removes the folder. */
const KEEPER = `
"$@" &
read -r _
kill -QUIT $! 2> /dev/null
wait $!
rm -rf "$FOLDER"
`

export interface PostgresServer extends AsyncDisposable {
  /** Over the Unix socket, where no password is asked for. */
  readonly socket: ClientConfig
  /** Over TCP, with the password. */
  readonly tcp: ClientConfig
  readonly bin: string
}

export async function startPostgres(settings: Record<string, string> = {}): Promise<PostgresServer> {
  const bin = postgresBin!
  const user = process.getuid?.() === 0 ? unprivileged() : undefined
  const folder = mkdtempSync(join(tmpdir(), 'sluice-postgres-'))
  if (user) chownSync(folder, user.uid, user.gid)
  initialise(bin, folder, user)
  const port = await freePort()
  const all = {
    fsync: 'off',
    full_page_writes: 'off',
    synchronous_commit: 'off',
    listen_addresses: '127.0.0.1',
    unix_socket_directories: folder,
    port: String(port),
    ...settings,
  }
  const args = Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const shell = ['-c', KEEPER, 'keeper', join(bin, 'postgres'), '-D', join(folder, 'data'), ...args]
  const keeper = spawn('/bin/sh', shell, {
    ...user,
    cwd: folder,
    env: { ...process.env, FOLDER: folder },
    // What ends the group of the tests must leave it the time to clean up.
    detached: true,
    stdio: ['pipe', 'ignore', 'pipe'],
  })
  await started(keeper)
  const login = { user: 'tester', database: 'postgres', port }
  return {
    bin,
    socket: { ...login, host: folder },
    tcp: { ...login, host: '127.0.0.1', password: 'secret' },
    async [Symbol.asyncDispose]() {
      const ended = once(keeper, 'close')
      keeper.stdin.end()
      await ended
    },
  }
}

function initialise(bin: string, folder: string, user: { uid: number; gid: number } | undefined): void {
  const password = join(folder, 'password')
  writeFileSync(password, 'secret\n')
  if (user) chownSync(password, user.uid, user.gid)
  const auth = ['--auth-local=trust', '--auth-host=scram-sha-256', `--pwfile=${password}`]
  const rest = [
    '--username=tester',
    '--encoding=UTF8',
    '--no-locale',
    '--no-sync',
    '-D',
    join(folder, 'data'),
  ]
  execFileSync(join(bin, 'initdb'), [...auth, ...rest], { ...user, cwd: folder, stdio: 'pipe' })
}

/** The user whom Debian made for the server, or nobody. */
function unprivileged(): { uid: number; gid: number } {
  const users = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
  const found = users.find(([name]) => name === 'postgres') ?? users.find(([name]) => name === 'nobody')!
  return { uid: Number(found[2]), gid: Number(found[3]) }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** Resolves when the server takes connections; what it says until then is in the error where it does not. */
function started(keeper: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let said = ''
    keeper.stderr!.setEncoding('utf8').on('data', (text: string) => {
      if (said === undefined) return
      said += text
      if (said.includes('ready to accept connections')) resolve()
      else if (said.includes('database system is shut down') || said.includes('FATAL:'))
        reject(new Error(`Postgres does not start:\n${said}`))
      if (said.length > 100_000) said = said.slice(-1000)
    })
    keeper.once('error', reject)
    keeper.once('close', () => reject(new Error(`Postgres does not start:\n${said}`)))
  })
}
