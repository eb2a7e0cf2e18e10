/** A wire in memory, a scripted port behind it, and the client's side of both: what the tests of the SSH layers need. */
import { setImmediate as turn } from 'node:timers/promises'
import { asFault } from '../../../src/shared/codes/fault.ts'
import type { Config } from '../../../src/shared/config/index.ts'
import { defaults } from '../../../src/shared/config/schema.ts'
import { formatLine } from '../../../src/shared/log/format.ts'
import { createLog, type LogRecord } from '../../../src/shared/log.ts'
import type {
  Arrive,
  Attempt,
  AuthVerdict,
  Channel,
  ChannelRequest,
  Connection,
  Exit,
  Layer,
  Member,
  Peer,
  Session,
  Sink,
  Stdio,
  Verdict,
} from '../../../src/workers/ports.ts'
import { Reader, Writer } from '../../../src/workers/ssh/bytes.ts'
import type { HostKey } from '../../../src/workers/ssh/host-key.ts'
import {
  channelMessage,
  channelOpen,
  channelOpenConfirmation,
  channelOpenFailure,
  globalRequest,
  windowAdjust,
} from '../../../src/workers/ssh/messages.ts'
import { message } from '../../../src/workers/ssh/numbers.ts'
import { createReception } from '../../../src/workers/ssh/reception.ts'
import { channelRequest } from '../../../src/workers/ssh/requests.ts'
import type { Wire, WireEvents } from '../../../src/workers/ssh/wire.ts'
import type { RecordConnection } from '../../../src/workers/ssh/witness.ts'
import { arrivalOf } from '../../rigs/arrival.ts'
import { record as keepForCodes } from '../../rigs/daemon.ts'

export const ok: Verdict = { accepted: true, value: undefined }
export const refusal = (text: string): { accepted: false; fault: ReturnType<typeof asFault> } => ({
  accepted: false,
  fault: asFault(new Error(text)),
})

export class WireDouble implements Wire {
  readonly clientVersion: string
  readonly sent: Buffer[] = []
  outgoing: Buffer = Buffer.alloc(0)
  queuedBytes = 0
  highMark = Number.POSITIVE_INFINITY
  paused = false
  mayRekey = false
  readonly rekeying = {
    allow: (): void => {
      this.mayRekey = true
    },
  }
  peeks = 0
  alive = true
  ended: { reason: number; description: string } | undefined
  #events: WireEvents | undefined
  #full = false
  #heard = 0

  constructor(clientVersion = 'SSH-2.0-double') {
    this.clientVersion = clientVersion
  }

  start(events: WireEvents): void {
    this.#events = events
    const sessionId = Buffer.from('the session id')
    const names = { kex: 'k', hostKey: 'h', rsaSignature: 'rsa-sha2-256', cipherIn: 'c', cipherOut: 'c' }
    events.ready({ sessionId, clientVersion: this.clientVersion, ...names })
  }
  reserve(length: number): number {
    // Some room in front, as a real packet has.
    const at = 5 + (this.sent.length % 7)
    this.outgoing = Buffer.alloc(at + length, 0xee)
    return at
  }
  commit(): void {
    const at = 5 + (this.sent.length % 7)
    this.send(this.outgoing.subarray(at))
  }
  send(payload: Uint8Array): void {
    if (!this.alive || this.ended !== undefined) return
    this.sent.push(Buffer.from(payload))
    this.queuedBytes += payload.length
    if (this.congested) this.#full = true
  }
  get congested(): boolean {
    return this.queuedBytes > this.highMark
  }
  get heard(): number {
    return this.#heard
  }
  peek(): void {
    if (this.paused) this.peeks++
  }
  pause(): void {
    this.paused = true
  }
  resume(): void {
    this.paused = false
  }
  disconnect(reason: number, description: string): void {
    this.ended ??= { reason, description }
  }
  destroy(error?: Error): void {
    if (!this.alive) return
    this.alive = false
    this.#events?.closed(error)
  }
  /** The kernel takes everything. */
  flush(): void {
    this.queuedBytes = 0
    if (!this.#full) return
    this.#full = false
    this.#events?.drain()
  }
  deliver(payload: Uint8Array): void {
    this.#heard++
    // Lent: whoever keeps a view sees garbage.
    const lent = Buffer.from(payload)
    this.#events?.message(lent)
    lent.fill(0xdd)
  }
}

/** One program of the scripted session, seen from inside. */
export class Program implements AsyncDisposable {
  readonly requests: ChannelRequest[] = []
  stdio: Stdio | undefined
  disposed = false
  readonly #exit = Promise.withResolvers<Exit>()
  answer: (request: ChannelRequest) => Verdict | Promise<Verdict> = () => ok
  readonly exit = this.#exit.promise
  port(): Channel {
    return {
      exit: this.exit,
      request: async (request, stdio) => {
        this.requests.push(request)
        this.stdio = stdio
        return this.answer(request)
      },
      [Symbol.asyncDispose]: () => this[Symbol.asyncDispose](),
    }
  }
  get out(): Sink {
    if (this.stdio === undefined) throw new Error('no request yet')
    return this.stdio.stdout
  }
  get err(): Sink {
    if (this.stdio === undefined) throw new Error('no request yet')
    return this.stdio.stderr
  }
  end(exit: Exit = { kind: 'status', code: 0 }): void {
    this.#exit.resolve(exit)
  }
  lose(error: Error): void {
    this.#exit.reject(error)
  }
  async [Symbol.asyncDispose](): Promise<void> {
    this.disposed = true
  }
}

export class Collector implements Sink {
  readonly chunks: Buffer[] = []
  ended = 0
  #listener: (() => void) | undefined
  #accept: (bytes: Uint8Array) => boolean
  constructor(accept: (bytes: Uint8Array) => boolean = () => true) {
    this.#accept = accept
  }
  write(bytes: Uint8Array): boolean {
    this.chunks.push(Buffer.from(bytes))
    return this.#accept(bytes)
  }
  onDrain(listener: () => void): void {
    this.#listener = listener
  }
  end(): void {
    this.ended++
  }
  drain(): void {
    this.#listener?.()
  }
  get bytes(): Buffer {
    return Buffer.concat(this.chunks)
  }
}

export interface Script {
  readonly ssh?: Partial<Config['ssh']>
  readonly limits?: Partial<Config['limits']>
  /** Without any nothing is announced. */
  readonly hostKeys?: readonly HostKey[]
  readonly clientVersion?: string
  readonly methods?: readonly string[]
  /** Writes the connection down. */
  readonly record?: RecordConnection
  authenticate?: (user: string, attempt: Attempt, signal: AbortSignal) => AuthVerdict | Promise<AuthVerdict>
  enter?: (member: Member, signal: AbortSignal) => Verdict<Session> | Promise<Verdict<Session>>
  open?: (id: number, arrive: Arrive) => Verdict<Channel> | Promise<Verdict<Channel>>
  dial?: Session['dial']
  listen?: Session['listen']
}

export const member = (username: string): Member => ({
  username,
  authenticatedUsername: username,
  metadata: new Map(),
  environment: new Map(),
  files: new Map(),
})
export const letIn = (username: string): AuthVerdict => ({ outcome: 'success', member: member(username) })

/** A server with one connection, as its client and its programs see it. */
export function serve(script: Script = {}) {
  const wire = new WireDouble(script.clientVersion)
  const records: LogRecord[] = []
  const programs: Program[] = []
  const disposed: string[] = []
  const told: string[] = []
  const session: Session = {
    async open(id, arrive) {
      if (script.open !== undefined) return script.open(id, arrive)
      const program = new Program()
      programs.push(program)
      return { accepted: true, value: program.port() }
    },
    dial: script.dial ?? (async () => refusal('no dialling here')),
    listen: script.listen ?? (async () => refusal('no listening here')),
    [Symbol.asyncDispose]: async () => void disposed.push('session'),
  }
  const port: Connection = {
    methods: script.methods ?? ['publickey', 'password'],
    authenticate: async (user, attempt, signal) => {
      if (script.authenticate !== undefined) return script.authenticate(user, attempt, signal)
      if (attempt.method !== 'none') return letIn(user)
      return { outcome: 'failure', fault: asFault(new Error('none is not enough')) }
    },
    enter: async (who, signal) => script.enter?.(who, signal) ?? { accepted: true, value: session },
    [Symbol.asyncDispose]: async () => void disposed.push('connection'),
  }
  const admit = (_peer: Peer, audit: Layer<Connection> = (inner) => inner): Connection => audit(port)
  const write = (record: LogRecord): void => {
    records.push(record)
    keepForCodes(formatLine(record, 'ljson').trimEnd())
  }
  const base = defaults()
  const intake = createReception<{ close(): void }>({
    accept: () => wire,
    config: { ...base, ssh: { ...base.ssh, ...script.ssh }, limits: { ...base.limits, ...script.limits } },
    hostKeys: script.hostKeys ?? [],
    log: createLog({ level: 'debug', write }),
    admit,
    record: script.record,
    events: { authenticated: (t) => told.push(`authenticated ${t}`), closed: (t) => told.push(`closed ${t}`) },
  })
  intake.serve({ close: () => told.push('handle closed') }, 7, arrivalOf({ address: '192.0.2.1', port: 4711 }))
  return { wire, records, programs, disposed, told, session, intake, client: new ClientDouble(wire, records) }
}

/** Everything that is ready to happen has happened. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 5; i++) await turn()
}

export class ClientDouble {
  readonly #wire: WireDouble
  readonly #records: readonly LogRecord[]
  #read = 0

  constructor(wire: WireDouble, records: readonly LogRecord[]) {
    this.#wire = wire
    this.#records = records
  }
  get codes(): string[] {
    return this.#records.map((record) => record.code)
  }
  /** What the server sent since the last call, readable: `number(field, field)`. */
  async heard(): Promise<string[]> {
    await settle()
    const messages = this.#wire.sent.slice(this.#read).map(describe)
    this.#read = this.#wire.sent.length
    return messages
  }
  send(payload: Uint8Array): void {
    this.#wire.deliver(payload)
  }
  attempt(user: string | Uint8Array, method: string, rest: Uint8Array = Buffer.alloc(0), service = 'ssh-connection') {
    const writer = new Writer(message.userauthRequest).string(user).string(service).string(method)
    this.send(writer.raw(rest).finish())
  }
  password(user: string | Uint8Array, password: string | Uint8Array): void {
    this.attempt(user, 'password', new Writer(0).string(password).finish())
  }
  async login(user = 'alice'): Promise<void> {
    this.password(user, 'secret')
    await this.heard()
  }
  openSession(windowBytes = 1 << 20, maximumPacket = 32_768, sender = 0, data = Buffer.alloc(0)): void {
    this.send(channelOpen({ type: 'session', sender, windowBytes, maximumPacket, data }))
  }
  async session(windowBytes?: number, maximumPacket?: number, sender?: number): Promise<void> {
    this.openSession(windowBytes, maximumPacket, sender)
    await this.heard()
  }
  request(request: ChannelRequest, wantReply = true, channel = 0): void {
    this.send(channelRequest(channel, request, wantReply))
  }
  async exec(command = 'x', channel = 0): Promise<void> {
    this.request({ kind: 'exec', command }, true, channel)
    await this.heard()
  }
  global(type: string, wantReply = true, data?: Uint8Array): void {
    this.send(globalRequest(type, wantReply, data))
  }
  data(bytes: string | Uint8Array, channel = 0): void {
    this.send(new Writer(message.channelData).uint32(channel).string(bytes).finish())
  }
  /** Agrees to a channel that the server opened, `sender` being our own number. */
  agree(channel: number, sender: number, windowBytes = 1 << 20, maximumPacket = 32_768): void {
    this.send(channelOpenConfirmation(channel, sender, windowBytes, maximumPacket))
  }
  decline(channel: number, reason = 1, text = 'no'): void {
    this.send(channelOpenFailure(channel, reason, text))
  }
  adjust(bytes: number, channel = 0): void {
    this.send(windowAdjust(channel, bytes))
  }
  eof(channel = 0): void {
    this.send(channelMessage(message.channelEof, channel))
  }
  close(channel = 0): void {
    this.send(channelMessage(message.channelClose, channel))
  }
}

/** `out 0 abc`, `status 0 42`, …: one line per message. */
function describe(payload: Buffer): string {
  const reader = new Reader(payload, 1)
  const text = (): string => reader.string().toString('latin1')
  switch (payload[0]) {
    case message.userauthFailure:
      return `auth failure ${text()}${reader.boolean() ? ' partial' : ''}`
    case message.userauthSuccess:
      return 'auth success'
    case message.userauthBanner:
      return `banner ${text()}`
    case message.userauthPkOk:
      return `key ok ${text()} ${text()}`
    case message.globalRequest:
      return `global ${text()} ${reader.boolean()}`
    case message.requestSuccess:
      return payload.length > 1 ? `request success ${payload.toString('hex', 1)}` : 'request success'
    case message.requestFailure:
      return 'request failure'
    case message.channelOpen: {
      const head = `open ${text()} ${reader.uint32()} window ${reader.uint32()} packet ${reader.uint32()}`
      const data = reader.rest().toString('latin1')
      return data === '' ? head : `${head} ${JSON.stringify(data)}`
    }
    case message.channelOpenConfirmation:
      return `opened ${reader.uint32()} as ${reader.uint32()} window ${reader.uint32()} packet ${reader.uint32()}`
    case message.channelOpenFailure:
      return `open failure ${reader.uint32()} ${reader.uint32()} ${text()}`
    case message.channelWindowAdjust:
      return `adjust ${reader.uint32()} ${reader.uint32()}`
    case message.channelData:
      return `out ${reader.uint32()} ${text()}`
    case message.channelExtendedData:
      return `err ${reader.uint32()} ${reader.uint32() === 1 ? '' : 'not 1 '}${text()}`
    case message.channelEof:
      return `eof ${reader.uint32()}`
    case message.channelClose:
      return `close ${reader.uint32()}`
    case message.channelSuccess:
      return `success ${reader.uint32()}`
    case message.channelFailure:
      return `failure ${reader.uint32()}`
    case message.channelRequest: {
      const channel = reader.uint32()
      const type = text()
      const reply = reader.boolean() ? ' wants reply' : ''
      if (type === 'exit-status') return `status ${channel} ${reader.uint32()}${reply}`
      return `signal ${channel} ${text()} ${reader.boolean()} ${text()} ${text()}|${reply}`
    }
    case message.pong:
      return `pong ${text()}`
    default:
      return `message ${payload.toString('hex')}`
  }
}
