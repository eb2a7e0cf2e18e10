/** Where syslog listens: a UNIX socket of either type, UDP, or TCP. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect as connectSocket, Socket } from 'node:net'
import { within } from '../deadline.ts'
import type { Trouble } from './destination.ts'
import { type Connected, stream } from './stream.ts'
import type { SyslogTarget } from './syslog-target.ts'

const CONNECT_MS = 5000
const KEEPALIVE_MS = 30_000
/** Largest record that logger(1) hands on; its own default of 1 KiB would split longer ones. */
const LOGGER_MESSAGE_BYTES = 60 * 1024

export type StreamTarget = Exclude<SyslogTarget, { transport: 'udp' }>

export interface SyslogStreamOptions {
  readonly name: string
  readonly target: StreamTarget
  /** The tag of the BSD style frames that will be written; undefined for those of RFC 5424. */
  readonly tag: string | undefined
  readonly trouble: Trouble
  readonly queueBytes: number
}

/** Frames on a connection: to a UNIX socket, which may be a datagram socket behind logger(1), or TCP. */
export const syslogStream = ({ target, tag, ...options }: SyslogStreamOptions) =>
  stream({
    ...options,
    connect: () =>
      within(`connecting to ${options.name}`, CONNECT_MS, undefined, (signal) => connectTo(target, tag, signal)),
  })

async function connectTo(target: StreamTarget, tag: string | undefined, signal: AbortSignal): Promise<Connected> {
  if (target.transport === 'tcp') return await dial({ host: target.host, port: target.port }, signal)
  try {
    return await dial({ path: target.path }, signal)
  } catch (error) {
    if (!isWrongType(error)) throw error
    // logger(1) makes the header itself, and an older one.
    if (tag === undefined) throw new Error(`${target.path} is a datagram socket: rfc5424 needs the package unix-dgram`)
    return await startLogger(target.path, tag, signal)
  }
}

async function dial(where: { path: string } | { host: string; port: number }, signal: AbortSignal): Promise<Connected> {
  const socket = connectSocket({ ...where, keepAlive: true, keepAliveInitialDelay: KEEPALIVE_MS })
  try {
    await once(socket, 'connect', { signal })
  } catch (error) {
    socket.destroy()
    throw error
  }
  // Nothing is ever received, but only who reads learns that the other side is gone.
  socket.resume().unref()
  return { writable: socket }
}

/** A socket of the other type, connect(2). What is thrown there is an error of the system, and nothing else has this code. */
export const isWrongType = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'EPROTOTYPE'

/**
 * Without the addon (`unix-dgram.ts`) we cannot open UNIX datagram sockets, which is what /dev/log is with systemd and
 * rsyslog. logger(1) of util-linux can; it reads lines of priority and text. It is part of every Debian, Fedora and kin.
 */
async function startLogger(path: string, tag: string, signal: AbortSignal): Promise<Connected> {
  const size = ['--size', String(LOGGER_MESSAGE_BYTES)]
  const args = ['--udp', '--socket', path, '--prio-prefix', '--tag', tag, ...size]
  // Detached, so that Ctrl-C on a terminal does not end it before our last records.
  const child = spawn('logger', args, { stdio: ['pipe', 'ignore', 'ignore'], detached: true })
  try {
    await once(child, 'spawn', { signal })
  } catch (cause) {
    const hint =
      'is a datagram socket, which needs the program logger of util-linux; or use a stream socket or host:port'
    throw new Error(`${path} ${hint}`, { cause })
  }
  child.on('error', (error) => child.stdin.destroy(error))
  child.unref()
  if (child.stdin instanceof Socket) child.stdin.unref()
  return {
    writable: child.stdin,
    rewrite: (lines) =>
      lines
        .split('\n')
        .map((line) => withoutHeader(line, tag))
        .join('\n'),
  }
}

/** Of `<PRI>Mmm dd hh:mm:ss TAG: BODY` only `<PRI>BODY`: logger(1) writes time and tag itself. */
function withoutHeader(line: string, tag: string): string {
  const priority = line.slice(0, line.indexOf('>') + 1)
  return priority + line.slice(priority.length + 'Mmm dd hh:mm:ss '.length + tag.length + ': '.length)
}
