/** A UDP port as the destination of datagrams. */
import { createSocket, type Socket } from 'node:dgram'
import { lookup } from 'node:dns/promises'
import { once } from 'node:events'
import { within } from '../deadline.ts'
import type { Destination, Trouble } from './destination.ts'

const CONNECT_MS = 5000

export interface UdpOptions {
  readonly name: string
  readonly host: string
  readonly port: number
  readonly trouble: Trouble
  readonly queueBytes: number
}

/** Looks the host up, now and with each `reopen()`. Rejects when that fails. */
export async function udp(options: UdpOptions): Promise<Destination<Buffer>> {
  const { name, trouble, queueBytes } = options
  let socket = await connect(options)
  let closed = false
  return {
    name,
    write(datagram) {
      if (closed || socket.getSendQueueSize() + datagram.length > queueBytes) return false
      socket.send(datagram, (error) => error !== null && trouble(error, 1))
      return true
    },
    async reopen() {
      const fresh = await connect(options)
      if (closed) return void fresh.close()
      socket.close()
      socket = fresh
    },
    close() {
      if (closed) return 0
      closed = true
      const lost = socket.getSendQueueCount()
      socket.close()
      return lost
    },
    get queuedBytes() {
      return closed ? 0 : socket.getSendQueueSize()
    },
  }
}

async function connect({ host, port, trouble }: UdpOptions): Promise<Socket> {
  const { address, family } = await within(`looking up ${host}`, CONNECT_MS, undefined, () => lookup(host))
  const socket = createSocket(family === 6 ? 'udp6' : 'udp4').unref()
  // Somebody answered that nobody listens (ICMP): a datagram that had been sent is lost.
  socket.on('error', (error) => trouble(error, 1))
  const connected = once(socket, 'connect', { signal: AbortSignal.timeout(CONNECT_MS) })
  socket.connect(port, address)
  await connected
  return socket
}
