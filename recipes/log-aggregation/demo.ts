// Input of its own: a few HTTP servers, each a process that logs to its standard output in its own way, and somebody
// who sends them real requests.

import { type ChildProcess, spawn } from 'node:child_process'
import { count, flatMap, map, pipeline, type Run, source, tick } from 'sluice'
import { type Input, streamBytes } from './inputs.ts'
import { Problem } from './problem.ts'
import { paths, serverNames } from './server.ts'

export interface Demo {
  inputs: Input[]
  /** How many requests have been answered. */
  requests: number
  /** No more requests: the servers log the rest and end, and so do the inputs. */
  finish(): Promise<void>
  /** Ends at once what has not ended. */
  kill(): Promise<void>
}

/** Every so many milliseconds each server is sent a request for each path. */
const pause = 5
/** How long a server may take to end. */
const patience = 2000

export async function startDemo(): Promise<Demo> {
  const servers = serverNames.map(startServer)
  const killServers = () => servers.forEach(({ child }) => child.kill('SIGKILL'))
  const ports = await Promise.all(servers.map(({ port }) => port)).catch((error: unknown) => {
    killServers()
    throw error
  })
  const clients = ports.map((port, i) => sendRequests(serverNames[i], port))
  const demo: Demo = {
    inputs: servers.map(({ child }, i) => inputOf(serverNames[i], child)),
    requests: 0,
    async finish() {
      const answered = await Promise.all(clients.map((client) => client.stop()))
      demo.requests = answered.reduce((sum, each) => sum + each)
      for (const { child } of servers) if (child.connected) child.disconnect()
      setTimeout(killServers, patience).unref()
    },
    async kill() {
      killServers()
      await Promise.all(clients.map((client) => client[Symbol.asyncDispose]()))
    },
  }
  return demo
}

/** A process of this program itself. It ends when the connection to us does, however that comes about. */
function startServer(name: string): { child: ChildProcess; port: Promise<number> } {
  const child = spawn(process.execPath, [...process.execArgv, process.argv[1], '--serve', name], {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    // Ctrl-C in a terminal is for us; a server ends when we are done with it.
    detached: true,
  })
  const port = new Promise<number>((resolve, reject) => {
    child.once('message', (message) => resolve(Number(message)))
    child.once('error', (error) => reject(new Problem(`Cannot start server ${name}: ${error.message}`)))
    child.once('exit', (code, signal) =>
      reject(new Problem(`Cannot start server ${name}: it ended with ${code ?? signal}`)),
    )
  })
  return { child, port }
}

/** What a server has logged is read to its end, also when the inputs are to stop: it was asked to finish. */
function inputOf(name: string, { stdout }: ChildProcess): Input {
  return { name, keepsRest: false, bytes: () => streamBytes(stdout!, new AbortController().signal) }
}

/** Sends requests until it is stopped, at most four at a time. */
function sendRequests(name: string, port: number): Run<number> {
  const get = async (path: string) => (await fetch(`http://127.0.0.1:${port}${path}`)).text()
  return pipeline(
    source(tick(pause)),
    flatMap(() => paths),
    map(get, { concurrency: 4, onError: 'skip' }),
    count(),
  ).start({ name: `requests to ${name}`, capacity: 4 })
}
