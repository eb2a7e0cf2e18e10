/** The listen socket of SSH. Accepted connections are passed on as raw handles: nothing here reads from them. */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { getSystemErrorName } from 'node:util'
import { fault } from '../shared/codes/fault.ts'
import { parseListen } from '../shared/config/listen.ts'
import { sleep } from '../shared/deadline.ts'
import { descriptorOf } from '../shared/http-listen.ts'
import type { TcpHandle } from '../shared/ipc/handle.ts'
import type { Log } from '../shared/log.ts'
import { backoff } from '../shared/retry.ts'

/** Node's default of 511 makes clients of a storm wait for their third SYN: 4096 takes a storm of 3,000 in a fifth of the time. */
const BACKLOG = 4096
const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 5000
/** Without trouble for this long, the next pause is the shortest again. */
const CALM_MS = 60_000
/** Kept free for log files, new workers and the listen socket itself. */
const SPARE_DESCRIPTORS = 16

/** The part of Node's internal listen handle that we replace: it saves a `net.Socket` per connection. */
interface RawServer {
  onconnection: (status: number, handle: TcpHandle | undefined) => void
}

export interface Listener {
  /**
   * Listens. Resolves to the address, with the port that was chosen if the configured one is 0.
   * @throws Fault SSH_START_FAILED, SSH_ALREADY_RUNNING
   */
  open(): Promise<string>
  /** For a process that is to listen on the same socket; undefined while nothing listens. */
  readonly descriptor: number | undefined
  /** No more connections. Those in the backlog are refused by the kernel. Never rejects. */
  close(): Promise<void>
}

export interface ListenerOptions {
  /** `ssh.listen`. */
  readonly listen: string
  readonly log: Log
  /** Takes ownership of the handle. */
  accept(handle: TcpHandle): void
  /** Instead of a socket of its own: one that listens already. It stays open when there is no descriptor left for others. */
  readonly inherited?: number | undefined
  /** How many descriptors this process may have; read from the kernel if not given. */
  readonly descriptorLimit?: number
}

export function createListener(options: ListenerOptions): Listener {
  const { listen, log, accept, inherited, descriptorLimit = openFilesLimit() } = options
  let server: Server | undefined
  let port: number | undefined
  const closing = new AbortController()
  const pauses = backoff(FIRST_PAUSE_MS, LONGEST_PAUSE_MS)
  let resting = false
  let restedAt = 0

  const take = (status: number, handle: TcpHandle | undefined): void => {
    if (status !== 0 || handle === undefined) void rest(getSystemErrorName(status))
    else {
      if (handle.fd > descriptorLimit - SPARE_DESCRIPTORS) void rest('EMFILE')
      accept(handle)
    }
  }
  const listening = async (): Promise<Server> => {
    const bound = await (inherited === undefined ? bind(listen, port) : adopt(inherited))
    bound.on('error', (error) => log.emit('SSH_ACCEPT_FAILED', { reason: error.message, pauseMs: 0 }))
    rawServerOf(bound).onconnection = take
    return bound
  }
  /**
   * The descriptor that cannot be had would be asked for again at once, for ever: stop listening for a moment. At the
   * limit libuv would accept and close connections by itself, as long as it has its spare descriptor, and tell nobody;
   * hence the look at the numbers of descriptors.
   */
  const rest = async (reason: string): Promise<void> => {
    if (resting || server === undefined || closing.signal.aborted) return
    resting = true
    // Whoever gave it to us holds it as well: nobody could bind its address again.
    if (inherited !== undefined) {
      const pauseMs = pauses.next()
      log.emit('SSH_ACCEPT_FAILED', { reason, pauseMs })
      await sleep(pauseMs, closing.signal)
      resting = false
      return
    }
    if (performance.now() - restedAt > CALM_MS) pauses.reset()
    await shut(server, log)
    server = undefined
    while (server === undefined && !closing.signal.aborted) {
      const pauseMs = pauses.next()
      log.emit('SSH_ACCEPT_FAILED', { reason, pauseMs })
      await sleep(pauseMs, closing.signal)
      if (!closing.signal.aborted) server = await listening().catch(() => undefined)
    }
    resting = false
    restedAt = performance.now()
    if (closing.signal.aborted && server !== undefined) await shut(server, log)
  }
  return {
    async open() {
      if (server !== undefined) throw fault('SSH_ALREADY_RUNNING', {})
      try {
        server = await listening()
      } catch (cause) {
        throw fault('SSH_START_FAILED', { listen }, { cause })
      }
      const address = addressOf(server)
      port = address.port
      return `${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${port}`
    },
    get descriptor() {
      return server === undefined ? undefined : descriptorOf(server)
    },
    async close() {
      closing.abort()
      if (server !== undefined) await shut(server, log)
    },
  }
}

/** `port` overrides that of the configuration: the one chosen before, if that was 0. */
async function bind(listen: string, port: number | undefined): Promise<Server> {
  const address = parseListen(listen)
  if (address === undefined) throw new Error(`${listen} is no address and port`)
  const server = createServer()
  const host = address.host === undefined ? {} : { host: address.host }
  server.listen({ port: port ?? address.port, backlog: BACKLOG, ...host })
  await once(server, 'listening')
  return server
}

async function adopt(fd: number): Promise<Server> {
  const server = createServer()
  server.listen({ fd, backlog: BACKLOG })
  await once(server, 'listening')
  return server
}

function addressOf(server: Server): AddressInfo {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('a TCP server has an address')
  return address
}

/** The soft limit; Node raises it to the hard one at its start. */
function openFilesLimit(): number {
  try {
    return Number(/^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1] ?? Infinity)
  } catch {
    return Infinity // not Linux
  }
}

async function shut(server: Server, log: Log): Promise<void> {
  await new Promise<void>((resolve) => {
    server.close((cause) => {
      if (cause !== undefined) log.emit('SSH_LISTEN_CLOSE_FAILED', {}, { cause })
      resolve()
    })
  })
}

function rawServerOf(server: Server): RawServer {
  // Node does not document it, and so its types lack it; what follows and handle.test.ts check what is really there.
  const { _handle: handle } = server as unknown as { readonly _handle?: RawServer | null }
  if (handle === undefined || handle === null || typeof handle.onconnection !== 'function') {
    throw new Error('this version of Node has another listen handle than we know')
  }
  return handle
}
