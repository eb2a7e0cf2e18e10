/**
 * A session channel (RFC 4254 section 6): requests become values for the port, strictly one after the other, each
 * answered before the next is looked at; at the end output, EOF, exit status and CLOSE go out in this order.
 */
import { asFault } from '../../shared/codes/fault.ts'
import type { Log } from '../../shared/log.ts'
import { observe, secondsSince } from '../../shared/metric.ts'
import type { Channel, ChannelId, ChannelRequest, Exit, Stdio, Verdict, WindowSize } from '../ports.ts'
import { ChannelEnd, type Doing } from './channel-end.ts'
import type { ConnectionService } from './connection.ts'
import { channelMessage } from './messages.ts'
import { message } from './numbers.ts'
import type { PeerEnd } from './output.ts'
import { type DecodedRequest, exitRequest } from './requests.ts'
import { stdioOf } from './stdio.ts'

/** `ours`: no request of the client's. */
type Waiting = DecodedRequest & { readonly ours?: true }

export class SessionChannel extends ChannelEnd {
  readonly #port: Channel
  readonly #stdio: Stdio
  #waiting: Waiting[] = []
  #working = false
  /** What runs, or ran. */
  #program: Start | undefined
  /** When the program began to run, and when it ended; of `performance.now()`. */
  #startedMs = 0
  #endedMs = 0
  /** Of the terminal, if there is one. */
  #size: WindowSize | undefined
  /** Undefined: not known yet. `lost`: it never will be. */
  #exit: Exit | 'lost' | undefined

  constructor(service: ConnectionService, id: ChannelId, peer: PeerEnd, log: Log, port: Channel) {
    super(service, id, peer, log)
    this.#port = port
    this.#stdio = stdioOf(this.input, this.output)
  }

  get #mostWaiting(): number {
    return this.service.link.limits.requestsPerChannel
  }

  get doing(): Doing {
    const program = this.#program
    return {
      program: program?.kind ?? '',
      detail: program === undefined ? '' : detailOf(program),
      size: this.#size,
      room: this.#port.room?.(),
    }
  }

  request(request: Waiting): void {
    const waiting = this.#waiting
    // Only the last size of a window that is being dragged counts.
    if (!request.wantReply && isResize(request) && isResize(waiting.at(-1))) waiting.pop()
    waiting.push(request)
    if (!this.#working) this.service.link.guard(this.#work())
    else if (waiting.length >= this.#mostWaiting) this.service.requestsWaiting(this)
  }

  /** Asks the program to end, also one that is just being started. */
  stop(signal: string): void {
    if (this.#program === undefined && !this.#working) {
      this.close()
      return
    }
    const request = { kind: 'signal', name: signal, ours: true } as const
    this.request({ recipient: this.id, type: 'signal', wantReply: false, request, ours: true })
  }

  /** On stderr of a program with a terminal: lines may be in raw mode. A subsystem's stderr belongs to its protocol. */
  override tell(text: string, onStderr = false): boolean {
    const hasTerminal = this.#size !== undefined
    const isFor = hasTerminal || (onStderr && this.#program?.kind !== 'subsystem')
    if (!isFor || this.#program === undefined || this.sentEof) return false
    const notice = Buffer.from(hasTerminal ? `\r\n${text.replaceAll(/\r?\n/g, '\r\n')}\r\n` : `${text}\n`)
    this.service.link.witness?.told(this.id, notice)
    return this.output.stderr.notice(notice)
  }

  async #work(): Promise<void> {
    this.#working = true
    for (let next = this.#waiting.shift(); next !== undefined && this.open; next = this.#waiting.shift()) {
      await this.#serve(next)
      if (this.#waiting.length < this.#mostWaiting) this.service.requestsServed(this)
    }
    this.#working = false
  }

  async #serve({ type, wantReply, request, malformed, ours }: Waiting): Promise<void> {
    if (request === undefined) {
      this.service.link.witness?.malformedRequest(this.id, type, malformed ?? new Uint8Array(0))
      this.log.emit('SSH_DECODE_FAILED', { RequestType: type })
      return this.#reply(type, wantReply, false)
    }
    // No line for requests that nobody knows, nor for our own.
    const log = request.kind === 'unknown' || ours ? undefined : this.log
    log?.emit('SSH_CHANNEL_REQUEST', { RequestType: type })
    if (isStart(request)) this.output.awaitedMs = performance.now()
    let verdict: Verdict
    try {
      verdict = await this.#port.request(request, this.#stdio)
    } catch (error) {
      verdict = { accepted: false, fault: asFault(error) }
    }
    if (verdict.accepted) {
      log?.emit('SSH_CHANNEL_REQUEST_SUCCESSFUL', { RequestType: type })
    } else {
      const { fault } = verdict
      log?.emit('SSH_CHANNEL_REQUEST_FAILED', { RequestType: type, reason: fault.code }, { cause: fault })
    }
    this.#reply(type, wantReply, verdict.accepted)
    if (!verdict.accepted) this.service.link.heed(verdict)
    else if (request.kind === 'pty-req') this.#sized(request.pty.size)
    else if (request.kind === 'window-change') this.#sized(request.size)
    else if (isStart(request)) this.#watch(request)
  }

  #sized(size: WindowSize): void {
    this.#size = size
    this.service.link.watchers?.sized(this.id, size)
  }

  #reply(type: string, wantReply: boolean, success: boolean): void {
    if (!wantReply) return
    if (!this.open) {
      this.log.emit('SSH_REPLY_SEND_FAILED', { RequestType: type })
      return
    }
    const number = success ? message.channelSuccess : message.channelFailure
    this.service.link.wire.send(channelMessage(number, this.output.recipient))
  }

  #watch(program: Start): void {
    if (this.#program !== undefined) return
    this.#program = program
    const { kind: request } = program
    this.#startedMs = performance.now()
    this.#port.exit.then(
      (exit) => {
        observe('containerssh_ssh_program_seconds', { request }, secondsSince(this.#startedMs))
        this.#ended(exit)
      },
      (error: unknown) => {
        if (this.open) this.log.emit('SSH_EXIT_CODE_FAILED', {}, { cause: error })
        this.#ended('lost')
      },
    )
  }

  #ended(exit: Exit | 'lost'): void {
    if (!this.open) return
    this.#exit = exit
    this.#endedMs = performance.now()
    this.#stdio.stdout.end()
    this.#stdio.stderr.end()
    if (this.sentEof) this.#farewell(exit)
  }

  protected outputComplete(): void {
    if (this.#exit !== undefined) this.#farewell(this.#exit)
  }

  #farewell(exit: Exit | 'lost'): void {
    if (!this.open) return
    const { over, wire, witness } = this.service.link
    if (exit !== 'lost') witness?.exited(this.id, exit)
    // Nothing reaches a client that we are just disconnecting.
    if (exit !== 'lost' && over) {
      this.log.emit('SSH_EXIT_CODE_FAILED', {}, { cause: 'the connection is being ended' })
    } else if (exit !== 'lost' && wire.alive) {
      this.send(exitRequest(this.output.recipient, exit))
      observe('containerssh_ssh_exit_seconds', {}, secondsSince(this.#endedMs))
      if (exit.kind === 'status') this.log.emit('SSH_EXIT', { exitCode: exit.code })
      else this.log.emit('SSH_EXIT_SIGNAL', { signal: exit.name, coreDumped: exit.coreDumped })
    }
    this.close()
  }

  protected async release(): Promise<void> {
    this.#waiting = []
    this.service.requestsServed(this)
    await this.#port[Symbol.asyncDispose]()
  }
}

type Start = Extract<ChannelRequest, { readonly kind: 'shell' | 'exec' | 'subsystem' }>
const isStart = (request: ChannelRequest): request is Start =>
  request.kind === 'shell' || request.kind === 'exec' || request.kind === 'subsystem'

const detailOf = (start: Start): string =>
  start.kind === 'exec' ? start.command : start.kind === 'subsystem' ? start.name : ''

const isResize = (request: DecodedRequest | undefined): boolean =>
  request?.request?.kind === 'window-change' && !request.wantReply
