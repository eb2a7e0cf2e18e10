/** A TCP client without SSH, from an address of its own: all of 127.0.0.0/8 is this machine. */
import { connect, type Socket } from 'node:net'
import { until } from './daemon.ts'

export interface RawClient {
  readonly socket: Socket
  /** Everything received so far. */
  text(): string
  /** Waits for it, or for the end. */
  receives(pattern: RegExp): Promise<string>
  /** What was received until the end. */
  readonly ended: Promise<string>
}

export function rawClient(port: number, from = '127.0.0.1', first: string | Uint8Array = ''): RawClient {
  const socket = connect({ port, host: '127.0.0.1', localAddress: from })
  let received = ''
  socket.setEncoding('latin1').on('data', (text: string) => {
    received += text
  })
  socket.on('error', () => undefined)
  const ended = new Promise<string>((resolve) => socket.on('close', () => resolve(received)))
  if (first.length > 0) socket.write(first)
  return {
    socket,
    text: () => received,
    async receives(pattern) {
      await until(`${pattern} from the server`, () => pattern.test(received) || socket.closed)
      return received
    },
    ended,
  }
}
