/**
 * The conversation with one `forward-server` (old agents' dialect, and the extensions of our own helper): connections
 * that share its standard input and output. The container may send anything.
 */
import type { Duplex } from 'node:stream'
import type { Log } from '../../../shared/log.ts'
import type { Origin, Target } from '../../place.ts'
import { AgentConnection, type Wire } from './connection.ts'
import { newConnection, type Ready, readOrigin, readWindow } from './messages.ts'
import { type Packet, type PacketReader, packet, type } from './packet.ts'

/** Packets that an agent may cause us to send while it does not read them. */
const mostUnread = 4096
/** Old agents: there is no window. */
const unlimited = Number.MAX_SAFE_INTEGER

export interface LinkOptions {
  readonly stream: Duplex
  readonly ready: Ready
  /** Has what came behind the agent's first packet. */
  readonly reader: PacketReader
  readonly log: Log
  /** A connection arrived at the agent's listener; undefined: it has none. */
  readonly arrive: ((stream: Duplex, origin: Origin) => void) | undefined
  /** It broke, or the agent ended; all connections are gone. Once. */
  over(): void
}

export class RefusedError extends Error {
  override readonly name = 'RefusedError'
}

interface Dialling {
  readonly connection: AgentConnection
  resolve(connection: AgentConnection): void
  reject(error: Error): void
}

export class Link implements Wire {
  readonly extended: boolean
  readonly #options: LinkOptions
  readonly #stream: Duplex
  readonly #open = new Map<number, AgentConnection>()
  readonly #dialling = new Map<number, Dialling>()
  readonly #blocking = new Set<AgentConnection>()
  #drained: (() => void)[] = []
  #emptied: (() => void) | undefined
  #unread = 0
  /** Highest number of a connection so far. */
  #last = 0
  #over = false
  #noMore = false

  constructor(options: LinkOptions) {
    this.#options = options
    this.#stream = options.stream
    this.extended = options.ready.window !== undefined
  }

  /** From now on packets are handled. */
  begin(): void {
    this.#stream.on('data', (bytes: Buffer) => this.#receive(bytes))
    this.#stream.on('drain', () => this.#drain())
    this.#stream.on('error', (error) => this.#fail('AGENTPROTO_WRITE_FAILED', error.message))
    this.#stream.on('close', () => this.#end(new Error('the guest agent has ended')))
    this.#stream.on('end', () => this.#end(new Error('the guest agent has ended')))
    this.#receive(Buffer.alloc(0))
    this.#stream.resume()
  }

  get full(): boolean {
    return this.#stream.writableNeedDrain
  }
  get over(): boolean {
    return this.#over
  }
  get size(): number {
    return this.#open.size + this.#dialling.size
  }

  /** @throws RefusedError with the agent's reason; the signal's reason */
  dial(target: Target, origin: Origin, signal: AbortSignal): Promise<AgentConnection> {
    const { promise, resolve, reject } = Promise.withResolvers<AgentConnection>()
    if (this.#over) return Promise.reject(new RefusedError('the guest agent has ended'))
    this.#last += 1
    const id = this.#last
    const connection = new AgentConnection(this, id, this.#options.ready.window ?? unlimited)
    this.#dialling.set(id, { connection, resolve, reject })
    this.send(type.newConnection, id, newConnection(target, origin))
    const left = (): void => {
      if (!this.#dialling.delete(id)) return
      connection.destroy()
      reject(signal.reason)
    }
    signal.addEventListener('abort', left, { once: true })
    if (signal.aborted) left()
    return promise.finally(() => signal.removeEventListener('abort', left))
  }

  /** Nothing more arrives; connections that there are live on. */
  noMore(): void {
    if (this.#noMore || this.#over) return
    this.#noMore = true
    this.send(type.noMoreConnections, 0)
  }

  /** Calls back when the last connection is over, at once if there is none. */
  whenEmpty(listener: () => void): void {
    this.#emptied = listener
    this.#lookEmpty()
  }
  #lookEmpty(): void {
    const listener = this.#emptied
    if (this.size > 0 || listener === undefined) return
    this.#emptied = undefined
    listener()
  }

  send(kind: number, id: number, payload?: Uint8Array): void {
    if (this.#over) return
    this.#stream.write(packet(kind, id, payload))
    if (!this.full || kind === type.data) return
    this.#unread += 1
    if (this.#unread > mostUnread) this.#fail('AGENTPROTO_WRITE_FAILED', 'it does not read, but goes on to send')
  }
  whenDrained(listener: () => void): void {
    this.#drained.push(listener)
  }
  block(connection: AgentConnection, blocked: boolean): void {
    if (blocked) this.#blocking.add(connection)
    else if (!this.#blocking.delete(connection)) return
    if (this.#blocking.size > 0) this.#stream.pause()
    else this.#stream.resume()
  }
  forget(id: number): void {
    this.#open.delete(id)
    this.#lookEmpty()
  }

  #drain(): void {
    this.#unread = 0
    const listeners = this.#drained
    this.#drained = []
    for (const listener of listeners) listener()
  }

  #receive(bytes: Buffer): void {
    if (this.#over) return
    const { reader } = this.#options
    reader.push(bytes)
    try {
      for (let next = reader.next(); next !== undefined && !this.#over; next = reader.next()) this.#handle(next)
    } catch (error) {
      this.#fail('AGENTPROTO_DECODE_FAILED', (error as Error).message)
    }
  }

  /** @throws CborError */
  #handle(got: Packet): void {
    const { id } = got
    const dialling = this.#dialling.get(id)
    const connection = this.#open.get(id)
    if (got.type === type.newConnection) this.#arrived(got)
    else if (got.type > type.end) this.#options.log.emit('AGENTPROTO_PACKET_UNKNOWN', { packet: got.type })
    else if (dialling !== undefined) this.#answered(dialling, got)
    else if (connection !== undefined) this.#continued(connection, got)
    // The last packets of a connection may have been on the way when it was closed.
    else if (id === 0 || id > this.#last) {
      this.#options.log.emit('AGENTPROTO_UNKNOWN_CONNECTION', { connectionIdAgent: id, packet: got.type })
    }
  }

  /** @throws CborError */
  #continued(connection: AgentConnection, { type: kind, id, payload }: Packet): void {
    switch (kind) {
      case type.data:
        if (!connection.receive(payload)) this.#fail('AGENTPROTO_DECODE_FAILED', 'more data than was allowed')
        break
      case type.end:
        connection.receiveEnd()
        break
      case type.window:
        connection.receiveWindow(readWindow(payload))
        break
      case type.closeConnection:
        connection.receiveClose()
        if (!this.extended) this.send(type.success, id)
        break
      default:
        this.#options.log.emit('AGENTPROTO_INVALID_STATE', { connectionIdAgent: id, packet: kind })
    }
  }

  #answered(dialling: Dialling, { type: kind, id, payload }: Packet): void {
    if (kind === type.success) {
      this.#dialling.delete(id)
      this.#open.set(id, dialling.connection)
      dialling.resolve(dialling.connection)
    } else if (kind === type.error || kind === type.closeConnection) {
      this.#dialling.delete(id)
      const reason = payload.length === 0 ? 'the guest agent cannot connect' : textOf(payload)
      this.#options.log.emit('AGENTPROTO_REMOTE_ERROR', { connectionIdAgent: id, reason })
      dialling.reject(new RefusedError(reason))
    } else this.#options.log.emit('AGENTPROTO_INVALID_STATE', { connectionIdAgent: id, packet: kind })
  }

  #arrived({ id, payload }: Packet): void {
    const { arrive, log, ready } = this.#options
    if (arrive === undefined || id <= this.#last) {
      log.emit('AGENTPROTO_INVALID_STATE', { connectionIdAgent: id, packet: type.newConnection })
      return
    }
    const origin = readOrigin(payload)
    this.#last = id
    if (this.#noMore) {
      this.send(type.error, id)
      return
    }
    const connection = new AgentConnection(this, id, ready.window ?? unlimited)
    this.#open.set(id, connection)
    this.send(type.success, id)
    arrive(connection, origin)
  }

  #fail(code: 'AGENTPROTO_WRITE_FAILED' | 'AGENTPROTO_DECODE_FAILED', reason: string): void {
    if (this.#over) return
    this.#options.log.emit(code, { reason })
    this.#end(new Error(reason))
  }

  #end(error: Error): void {
    if (this.#over) return
    this.#over = true
    this.#stream.destroy()
    for (const { reject } of this.#dialling.values()) reject(new RefusedError(error.message))
    this.#dialling.clear()
    for (const connection of [...this.#open.values()]) connection.break(error)
    this.#open.clear()
    this.#drained = []
    this.#options.over()
  }
}

/** Text of the container: one line, not long. */
export const textOf = (bytes: Buffer): string =>
  bytes
    .toString('utf8', 0, 200)
    .replace(/[^\p{L}\p{N}\p{P}\p{S} ]+/gu, ' ')
    .trim()
