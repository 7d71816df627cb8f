// A small HTTP server that logs each request to its standard output and knows nothing of who reads that.

import { createServer, type IncomingMessage } from 'node:http'
import { type AddressInfo } from 'node:net'

export const paths = ['/', '/items/17', '/login', '/slow', '/missing']

type Log = (request: IncomingMessage, status: number, ms: number) => string

const wordFor = (status: number, ms: number) => (status >= 400 ? 'error' : ms > 4 ? 'warn' : 'info')

/** Each server logs in its own way, as programs do. */
const servers: Record<string, Log> = {
  // As pino does: levels are numbers.
  shop: ({ method, url }, status, ms) =>
    JSON.stringify({ level: status >= 400 ? 50 : 30, time: Date.now(), msg: `${method} ${url}`, status, ms }),
  // As daemons do: text.
  auth: ({ method, url }, status, ms) =>
    `${new Date().toISOString()} auth[${process.pid}]: ${wordFor(status, ms)}: ${method} ${url} ${status} in ${ms} ms`,
  // As winston does: levels are words.
  mail: ({ method, url }, status, ms) =>
    JSON.stringify({ level: wordFor(status, ms), message: `${method} ${url} ${status}`, ms }),
}

export const serverNames = Object.keys(servers)

/** Serves on a free port, which it tells its parent, until the parent is gone. */
export function serve(name: string): void {
  const log = servers[name]
  const server = createServer((request, response) => {
    const began = performance.now()
    const status = request.url === '/missing' ? 404 : 200
    setTimeout(
      () => {
        response.writeHead(status).end(`${request.url}\n`)
        console.log(log(request, status, Math.round(performance.now() - began)))
      },
      request.url === '/slow' ? 5 : 0,
    )
  })
  process.once('disconnect', () => {
    console.log(`${name} info: stopping`)
    server.close()
    server.closeAllConnections()
  })
  server.listen(0, '127.0.0.1', () => {
    console.log(`${name} info: listening on port ${(server.address() as AddressInfo).port}`)
    process.send?.((server.address() as AddressInfo).port)
  })
}
