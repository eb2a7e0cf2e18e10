/**
 * Connections of trusted proxies from the hand-over until it is known who is behind them and whether he may come in:
 * header, report to the primary, its answer. Nothing of SSH is said before.
 */
import { fault } from '../../shared/codes/fault.ts'
import type { Config } from '../../shared/config/index.ts'
import type { Arrival, Remote, TcpHandle } from '../../shared/ipc/handle.ts'
import type { Log } from '../../shared/log.ts'
import { count } from '../../shared/metric.ts'
import { refusalLine } from '../../shared/refusal-line.ts'
import { Incoming } from './incoming.ts'
import { HeaderError, type HeaderResult, ProxyHeader } from './proxy-protocol.ts'

/** The primary decides by numbers it has: if this is not enough, it hangs. */
const answerMs = 10_000
/** For the client to read why it was turned away. */
const lingerMs = 500

export interface ProxiedOptions {
  readonly settings: Config['ssh']['proxyProtocol']
  readonly log: Log
  /** To the primary, which answers by `admitted` or `refuse`. */
  source(ticket: number, remote: Remote): void
  /** It goes on as a connection of SSH. */
  serve(incoming: Incoming, ticket: number, arrival: Arrival): void
  /** It ended here. */
  closed(ticket: number): void
}

export interface ProxiedConnections {
  /** Takes ownership of the handle. */
  begin(handle: TcpHandle, ticket: number, proxy: Arrival): void
  admitted(ticket: number, country: string): void
  /** `line` is sent first. */
  refuse(ticket: number, line: string): void
  /** Ends all, and takes no more. */
  end(): void
  readonly size: number
}

export function createProxied(options: ProxiedOptions): ProxiedConnections {
  const all = new Map<number, ProxiedConnection>()
  let ended = false
  const context: ProxiedContext = {
    ...options,
    left: (ticket) => all.delete(ticket),
  }
  return {
    begin(handle, ticket, proxy) {
      if (ended) {
        handle.close()
        options.closed(ticket)
        return
      }
      const connection = new ProxiedConnection(context, new Incoming(handle), ticket, proxy)
      all.set(ticket, connection)
      connection.start()
    },
    admitted: (ticket, country) => all.get(ticket)?.admitted(country),
    refuse: (ticket, line) => all.get(ticket)?.refuse(line),
    end() {
      ended = true
      for (const connection of all.values()) connection.destroy()
    },
    get size() {
      return all.size
    },
  }
}

interface ProxiedContext extends ProxiedOptions {
  left(ticket: number): void
}

class ProxiedConnection {
  readonly #context: ProxiedContext
  readonly #incoming: Incoming
  readonly #ticket: number
  readonly #proxy: Arrival
  #header: ProxyHeader | undefined = new ProxyHeader()
  /** Who is waiting for the answer of the primary. */
  #client: Remote | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(context: ProxiedContext, incoming: Incoming, ticket: number, proxy: Arrival) {
    this.#context = context
    this.#incoming = incoming
    this.#ticket = ticket
    this.#proxy = proxy
  }

  start(): void {
    const { socket } = this.#incoming
    socket.on('error', this.#onError).on('close', this.#onClose)
    this.#incoming.reader = this
    // One more turn: when the process was busy, the header may be waiting in the kernel.
    this.#timer = setTimeout(() => setImmediate(() => this.#expire()), this.#context.settings.timeout).unref()
    socket.resume()
  }

  /** Bytes from the socket, lent for the call. */
  receive(chunk: Buffer): void {
    const header = this.#header
    if (header === undefined) return
    try {
      const result = header.take(chunk)
      if (result !== undefined) this.#found(result)
    } catch (error) {
      if (!(error instanceof HeaderError)) throw error
      this.#fail(error.message)
    }
  }

  #found({ rest, ...result }: HeaderResult): void {
    if (result.kind === 'absent' && this.#context.settings.required) {
      this.#fail(`it began with ${JSON.stringify(rest.toString('latin1', 0, 40))} in place of a header`)
      return
    }
    this.#header = undefined
    this.#incoming.early = rest
    this.#incoming.socket.pause()
    const source = result.kind === 'header' ? result.source : undefined
    if (source === undefined) this.#serve(this.#proxy)
    else this.#ask(source)
  }

  #ask(client: Remote): void {
    this.#client = client
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.destroy(), answerMs).unref()
    this.#context.source(this.#ticket, client)
  }

  admitted(country: string): void {
    if (this.#client !== undefined) this.#serve({ ...this.#proxy, ...this.#client, country })
  }

  #serve(arrival: Arrival): void {
    clearTimeout(this.#timer)
    const { socket } = this.#incoming
    socket.off('error', this.#onError).off('close', this.#onClose)
    this.#client = undefined
    this.#context.left(this.#ticket)
    this.#context.serve(this.#incoming, this.#ticket, arrival)
  }

  refuse(line: string): void {
    if (this.#client !== undefined) this.#turnAway(line)
  }

  #expire(): void {
    const header = this.#header
    if (header === undefined) return
    const { required, timeout } = this.#context.settings
    // Whoever waits for our identification string first is a client of SSH, too.
    if (header.untouched && !required) this.#found({ kind: 'absent', rest: Buffer.alloc(0) })
    else this.#fail(`there was no ${header.untouched ? '' : 'complete '}header within ${timeout} ms`)
  }

  #fail(reason: string): void {
    const why = fault('SSH_PROXY_HEADER_INVALID', { remoteAddr: this.#proxy.address, reason })
    this.#context.log.fault(why)
    count('containerssh_ssh_refusals_total', { reason: 'proxy_header' })
    this.#turnAway(refusalLine(why))
  }

  /** What still comes is read and dropped: closing with unread bytes resets the connection, and the line may be lost. */
  #turnAway(line: string): void {
    clearTimeout(this.#timer)
    this.#header = undefined
    this.#client = undefined
    this.#incoming.socket.resume().end(line)
    this.#timer = setTimeout(() => this.destroy(), lingerMs).unref()
  }

  destroy(): void {
    this.#incoming.socket.destroy()
  }

  readonly #onError = (): void => this.destroy()

  readonly #onClose = (): void => {
    clearTimeout(this.#timer)
    this.#header = undefined
    this.#client = undefined
    this.#context.left(this.#ticket)
    this.#context.closed(this.#ticket)
  }
}
