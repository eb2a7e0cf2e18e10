/** How a client is turned away: one line of text in place of the identification string, as OpenSSH does it. */
import { Socket } from 'node:net'
import type { Remote, TcpHandle } from '../shared/ipc/handle.ts'
import type { Log } from '../shared/log.ts'

/** Closing with unread data resets the connection, which may overtake the text: give it time to arrive. */
const LINGER_MS = 500
/** Beyond this many the connection is closed without a text: a flood must not use up file descriptors. */
const MAX_LINGERING = 128
const RECORDS_PER_WINDOW = 10
const WINDOW_MS = 1000

export interface Refusals {
  /** Takes ownership of the handle. Nothing is read from it. */
  refuse(handle: TcpHandle, remote: Remote, reason: string): void
  /** Closes those that linger and logs what has not been logged. */
  close(): void
}

export function createRefusals(log: Log): Refusals {
  const lingering = new Set<Socket>()
  let logged = 0
  let suppressed = 0
  let window: NodeJS.Timeout | undefined

  const closeWindow = (): void => {
    if (window !== undefined) clearTimeout(window)
    window = undefined
    logged = 0
    if (suppressed > 0) log.emit('SSH_REFUSALS_SUPPRESSED', { count: suppressed })
    suppressed = 0
  }
  const record = (remote: Remote, reason: string): void => {
    window ??= setTimeout(closeWindow, WINDOW_MS).unref()
    logged += 1
    if (logged > RECORDS_PER_WINDOW) suppressed += 1
    else log.emit('SSH_CONNECTION_REFUSED', { remoteAddr: remote.address, reason })
  }
  const tell = (handle: TcpHandle, reason: string): void => {
    // `handle` is an option that Node uses itself but does not document; see handle.ts.
    const options: object = { handle, allowHalfOpen: true, pauseOnCreate: true }
    const socket = new Socket(options)
    lingering.add(socket)
    socket.on('error', () => socket.destroy())
    socket.on('close', () => lingering.delete(socket))
    // RFC 4253 section 4.2: other lines may precede the identification string.
    socket.end(`Not allowed at this time: ${reason}\r\n`)
    setTimeout(() => socket.destroy(), LINGER_MS).unref()
  }
  return {
    refuse(handle, remote, reason) {
      record(remote, reason)
      if (lingering.size < MAX_LINGERING) tell(handle, reason)
      else handle.close()
    },
    close() {
      for (const socket of lingering) socket.destroy()
      closeWindow()
    },
  }
}
