/** Takes the address of an HTTP server. */
import { once } from 'node:events'
import type { Server } from 'node:net'
import { fault } from './codes/fault.ts'
import { parseListen } from './config/listen.ts'

/**
 * Resolves to the URL, without a slash at its end, when the server listens. `service` is its name in the log.
 * @throws Fault HTTP_LISTEN_FAILED
 */
export async function listenHttp(
  server: Server,
  text: string,
  service: string,
  scheme: 'http' | 'https' = 'http',
): Promise<string> {
  try {
    const address = parseListen(text)
    if (address === undefined) throw new Error(`${text} is no address and port`)
    server.listen({ port: address.port, ...(address.host === undefined ? {} : { host: address.host }) })
    await once(server, 'listening')
  } catch (cause) {
    throw fault('HTTP_LISTEN_FAILED', { service, listen: text }, { cause })
  }
  const bound = server.address()
  if (bound === null || typeof bound === 'string') throw new Error('a TCP server has an address')
  return `${scheme}://${bound.family === 'IPv6' ? `[${bound.address}]` : bound.address}:${bound.port}`
}
