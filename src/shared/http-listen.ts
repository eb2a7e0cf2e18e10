/** Takes the address of an HTTP server. */
import { once } from 'node:events'
import type { Server } from 'node:net'
import { fault } from './codes/fault.ts'
import { parseListen } from './config/listen.ts'

/**
 * Resolves to the URL, without a slash at its end, when the server listens: at an address, or on the descriptor of a socket
 * that listens already. `service` is its name in the log.
 * @throws Fault HTTP_LISTEN_FAILED
 */
export async function listenHttp(
  server: Server,
  where: string | number,
  service: string,
  scheme: 'http' | 'https' = 'http',
): Promise<string> {
  try {
    server.listen(typeof where === 'number' ? { fd: where } : addressIn(where))
    await once(server, 'listening')
  } catch (cause) {
    throw fault('HTTP_LISTEN_FAILED', { service, listen: String(where) }, { cause })
  }
  const bound = server.address()
  if (bound === null || typeof bound === 'string') throw new Error('a TCP server has an address')
  return `${scheme}://${bound.family === 'IPv6' ? `[${bound.address}]` : bound.address}:${bound.port}`
}

function addressIn(text: string): { readonly port: number; readonly host?: string } {
  const { port, host } = parseListen(text) ?? {}
  if (port === undefined) throw new Error(`${text} is no address and port`)
  return host === undefined ? { port } : { port, host }
}

/** Of a server that listens, for another process. Node does not document where it is; undefined if it is not there. */
export const descriptorOf = (server: Server): number | undefined =>
  // Its types lack the handle for that reason.
  (server as unknown as { readonly _handle?: { readonly fd?: number } | null })._handle?.fd
