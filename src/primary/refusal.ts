/** How a client is turned away: one line of text in place of the identification string, as OpenSSH does it. */
import { Socket } from 'node:net'
import type { TcpHandle } from '../shared/ipc/handle.ts'
import type { Log } from '../shared/log.ts'
import { count } from '../shared/metric.ts'
import { refusalLine } from '../shared/refusal-line.ts'
import type { Refusal } from './limits.ts'

/** Closing with unread data resets the connection, which may overtake the text: give it time to arrive. */
const LINGER_MS = 500
/** Beyond this many the connection is closed without a text: a flood must not use up file descriptors. */
const MAX_LINGERING = 128
const RECORDS_PER_WINDOW = 10
const WINDOW_MS = 1000

export interface Refusals {
  /** Takes ownership of the handle. Nothing is read from it. */
  refuse(handle: TcpHandle, refusal: Refusal): void
  /** Logs and counts one that somebody else turns away; returns what the client is to read. */
  note(refusal: Refusal): string
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
  const note = ({ reason, fault }: Refusal): string => {
    window ??= setTimeout(closeWindow, WINDOW_MS).unref()
    logged += 1
    if (logged > RECORDS_PER_WINDOW) suppressed += 1
    else log.fault(fault)
    count('containerssh_ssh_refusals_total', { reason })
    return refusalLine(fault)
  }
  const tell = (handle: TcpHandle, line: string): void => {
    // `handle` is an option that Node uses itself but does not document; see handle.ts.
    const options: object = { handle, allowHalfOpen: true, pauseOnCreate: true }
    const socket = new Socket(options)
    lingering.add(socket)
    socket.on('error', () => socket.destroy())
    socket.on('close', () => lingering.delete(socket))
    socket.end(line)
    setTimeout(() => socket.destroy(), LINGER_MS).unref()
  }
  return {
    refuse(handle, refusal) {
      const line = note(refusal)
      if (lingering.size < MAX_LINGERING) tell(handle, line)
      else handle.close()
    },
    note,
    close() {
      for (const socket of lingering) socket.destroy()
      closeWindow()
    },
  }
}
