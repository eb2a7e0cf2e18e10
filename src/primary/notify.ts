/** What systemd is told of the service: sd_notify(3). Nothing happens where nobody listens. */
import { execFile } from 'node:child_process'
import { connectDatagram, datagramAddon } from '../shared/log/unix-dgram.ts'
import type { Log } from '../shared/log.ts'

/** Of sd_notify(3), e.g. READY=1. */
export type State = Readonly<Record<string, string | number>>

export interface Notify {
  /** Never throws, never waits. */
  tell(state: State): void
  /** As often as the service has to show that it lives, in milliseconds; undefined: nobody asks. */
  readonly watchdogMs: number | undefined
  /** For a process that takes over. */
  readonly environment: NodeJS.ProcessEnv
  /** Nothing is told any more: the service is another process now. */
  close(): void
}

const TOOL_MS = 5000

/** Takes the variables out of `env`, so that children do not find them. */
export function openNotify(env: NodeJS.ProcessEnv, log: Log, pid = process.pid): Notify {
  const { NOTIFY_SOCKET: path, WATCHDOG_USEC: usec, WATCHDOG_PID: watched } = env
  for (const name of ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID']) delete env[name]
  const isWatched = usec !== undefined && (watched === undefined || Number(watched) === pid)
  const watchdogMs = isWatched ? Number(usec) / 1000 : undefined
  const environment = {
    ...(path === undefined ? {} : { NOTIFY_SOCKET: path }),
    ...(isWatched ? { WATCHDOG_USEC: usec } : {}),
  }
  if (path === undefined) return { tell: () => undefined, watchdogMs, environment, close: () => undefined }
  const failed = (reason: string): void => log.emit('SERVICE_NOTIFY_FAILED', { reason })
  const send = byAddon(path, failed) ?? byTool(path, pid, failed)
  let closed = false
  return {
    tell(state) {
      if (!closed) send(state)
    },
    watchdogMs,
    environment,
    close() {
      closed = true
    },
  }
}

const linesOf = (state: State): string[] => Object.entries(state).map(([name, value]) => `${name}=${value}`)

function byAddon(path: string, failed: (reason: string) => void): ((state: State) => void) | undefined {
  const addon = datagramAddon()
  // The addon knows files only.
  if (addon === undefined || path.startsWith('@')) return undefined
  return (state) => {
    try {
      const socket = connectDatagram(addon, path, () => undefined)
      const outcome = socket.send(Buffer.from(linesOf(state).join('\n')))
      if (outcome !== undefined) failed(outcome === 'full' ? 'nobody reads' : outcome.message)
      socket.close()
    } catch (error) {
      failed(error instanceof Error ? error.message : String(error))
    }
  }
}

/** systemd-notify(1). The unit has to say `NotifyAccess=all`, since it is another process. */
function byTool(path: string, pid: number, failed: (reason: string) => void): (state: State) => void {
  return (state) => {
    const args = ['--no-block', `--pid=${pid}`, ...linesOf(state)]
    const env = { PATH: process.env['PATH'] ?? '/usr/bin:/bin', NOTIFY_SOCKET: path }
    execFile('systemd-notify', args, { env, timeout: TOOL_MS }, (error) => {
      if (error !== null) failed(error.message)
    })
  }
}
