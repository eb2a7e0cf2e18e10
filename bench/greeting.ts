/** What stands in for SSH where only the way to it is measured: an identification line, and the end. */
import { Socket } from 'node:net'
import type { TcpHandle } from '../src/shared/ipc/handle.ts'
import type { Intake, IntakeOptions } from '../src/workers/ssh/intake.ts'

const line = 'SSH-2.0-greeting\r\n'

/** `ended` is called when the connection is over. */
export function greet(socket: Socket, ended: () => void): void {
  socket.on('error', () => undefined)
  socket.on('close', ended)
  socket.end(line)
  socket.resume()
}

/** The intake of a worker that greets. */
export function createGreeter({ events }: IntakeOptions): Intake {
  let size = 0
  return {
    serve(handle: TcpHandle, ticket) {
      size += 1
      // Node's own option for an accepted handle; its type is not published.
      const socket = new Socket({ handle } as object)
      greet(socket, () => {
        size -= 1
        events.closed(ticket, 'session')
      })
    },
    admitted: () => undefined,
    refuse: () => undefined,
    links: new Set(),
    get size() {
      return size
    },
    queued: { outputBytes: 0, windowBytes: 0 },
    drain: () => Promise.resolve(),
  }
}
