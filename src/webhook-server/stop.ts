/** The end of a server: nobody waits for those who ask nothing. */
import type { Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { sleep } from '../shared/deadline.ts'

/**
 * Connections, and how many of their requests are at work. Node closes only those idle connections that have asked
 * something before.
 */
export interface Callers {
  asked(socket: Socket, response: ServerResponse): void
  /** Closes the connections that wait for no answer. */
  dismiss(): void
}

export function callersOf(server: Server, event: 'connection' | 'secureConnection'): Callers {
  const working = new Map<Socket, number>()
  server.on(event, (socket: Socket) => {
    working.set(socket, 0)
    socket.once('close', () => working.delete(socket))
  })
  const count = (socket: Socket, by: 1 | -1): void => {
    const requests = working.get(socket)
    if (requests !== undefined) working.set(socket, requests + by)
  }
  return {
    asked(socket, response) {
      count(socket, 1)
      response.once('close', () => count(socket, -1))
    },
    dismiss() {
      for (const [socket, requests] of working) if (requests === 0) socket.destroy()
    },
  }
}

/** What has been asked is answered, if that takes no longer than the limit. */
export async function stop(server: Server, callers: Callers, limitMs: number): Promise<void> {
  const done = new AbortController()
  const ended = new Promise<void>((resolve) => server.close(() => resolve()))
  callers.dismiss()
  const late = sleep(limitMs, done.signal).then(() => server.closeAllConnections())
  await ended
  done.abort()
  await late
}
