/** Who may look at a page: whoever asks for it by a name that is its own, and from no other site. */
import type { IncomingMessage } from 'node:http'
import { isIP } from 'node:net'

export interface Refusal {
  status: number
  text: string
}

/** Why a request is refused, if it is. */
export type Door = (request: IncomingMessage) => Refusal | undefined

/** For a server that listens on `host` and may also be called by the names `hosts`. */
export function doorOf(host: string, hosts: readonly string[]): Door {
  const names = new Set([host, ...hosts, 'localhost'].map((name) => name.toLowerCase()))
  const isOpen = !isLoopback(host) && host !== 'localhost'
  // An address is not looked up, so nobody can make it lead here; but it must not be another machine's.
  const isOwn = (name: string): boolean => names.has(name) || isLoopback(name) || (isOpen && isIP(name) !== 0)
  return ({ method, headers }) => {
    const { host: asked = '', origin } = headers
    if (!isOwn(nameIn(`http://${asked}`)))
      return { status: 403, text: `Refused: the host "${asked.slice(0, 200)}" is not this server` }
    const isForeign = origin !== undefined && new URL(`http://${asked}`).host !== hostIn(origin)
    if (isForeign || headers['sec-fetch-site'] === 'cross-site')
      return { status: 403, text: 'Refused: asked for by another site' }
    if (method !== 'GET' && method !== 'HEAD')
      return { status: 405, text: 'Only GET: nothing can be changed here' }
    return undefined
  }
}

function isLoopback(address: string): boolean {
  return address === '::1' || (isIP(address) === 4 && address.startsWith('127.'))
}

/** The name of the host of a URL, without brackets; empty where it is none. */
function nameIn(url: string): string {
  return URL.canParse(url) ? new URL(url).hostname.replace(/^\[(.*)\]$/, '$1') : ''
}

function hostIn(url: string): string {
  return URL.canParse(url) ? new URL(url).host : ''
}
