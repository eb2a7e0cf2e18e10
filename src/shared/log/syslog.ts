/** Where syslog listens: a UNIX socket of either type, or UDP. */
import { spawn } from 'node:child_process'
import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { lookup } from 'node:dns/promises'
import { once } from 'node:events'
import { connect as connectSocket, Socket } from 'node:net'
import { within } from '../deadline.ts'
import { type Destination, QUEUE_BYTES, type Trouble } from './destination.ts'
import { type Connected, stream } from './stream.ts'

const CONNECT_MS = 5000
/** Largest record that logger(1) hands on; its own default of 1 KiB would split longer ones. */
const LOGGER_MESSAGE_BYTES = 60 * 1024

/**
 * @param destination a path, or `host:port`
 * @param tag the tag of the frames that will be written
 */
export async function syslog(destination: string, tag: string, trouble: Trouble): Promise<Destination> {
  if (!destination.startsWith('/')) return await udp(destination, trouble)
  const connect = (): Promise<Connected> =>
    within(`connecting to ${destination}`, CONNECT_MS, undefined, (signal) => connectUnix(destination, tag, signal))
  return await stream({ name: destination, connect, trouble })
}

async function connectUnix(path: string, tag: string, signal: AbortSignal): Promise<Connected> {
  const socket = connectSocket(path)
  try {
    await once(socket, 'connect', { signal })
  } catch (error) {
    socket.destroy()
    if ((error as NodeJS.ErrnoException).code !== 'EPROTOTYPE') throw error
    return await startLogger(path, tag, signal)
  }
  // Nothing is ever received, but only who reads learns that the other side is gone.
  socket.resume().unref()
  return { writable: socket }
}

/**
 * Node cannot open UNIX datagram sockets, which is what /dev/log is with systemd and rsyslog. logger(1) of util-linux can;
 * it reads lines of priority and text. It is part of every Debian, Fedora and their kin.
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

async function udp(destination: string, trouble: Trouble): Promise<Destination> {
  const { host, port } = splitHostPort(destination)
  let socket = await connectUdp(host, port, trouble)
  let closed = false
  return {
    name: destination,
    write(line) {
      if (closed || socket.getSendQueueSize() > QUEUE_BYTES) return false
      socket.send(line, (error) => error !== null && trouble(error))
      return true
    },
    async reopen() {
      const fresh = await connectUdp(host, port, trouble)
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

async function connectUdp(host: string, port: number, trouble: Trouble): Promise<UdpSocket> {
  const { address, family } = await within(`looking up ${host}`, CONNECT_MS, undefined, () => lookup(host))
  const socket = createSocket(family === 6 ? 'udp6' : 'udp4').unref()
  socket.on('error', trouble)
  const connected = once(socket, 'connect', { signal: AbortSignal.timeout(CONNECT_MS) })
  socket.connect(port, address)
  await connected
  return socket
}

function splitHostPort(destination: string): { readonly host: string; readonly port: number } {
  const [, bracketed, plain, port] = /^(?:\[(.+)\]|([^:]+)):(\d{1,5})$/.exec(destination) ?? []
  const host = bracketed ?? plain
  if (host === undefined || Number(port) < 1 || Number(port) > 65_535) {
    throw new Error(`${destination} is neither a path nor host:port`)
  }
  return { host, port: Number(port) }
}
