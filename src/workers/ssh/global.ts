/**
 * Global requests (RFC 4254 section 4), each answered before the next is looked at. Those that need nothing but this
 * connection take effect when they arrive; those that have the session listen wait for it, and for each other.
 */
import { asFault, type Fault } from '../../shared/codes/fault.ts'
import type { Session, Verdict } from '../ports.ts'
import { Writer } from './bytes.ts'
import type { ConnectionService } from './connection.ts'
import { decodeForwardRequest, type ForwardRequest } from './forward-messages.ts'
import { type Forward, Forwards } from './forwards.ts'
import { decodeProofRequest } from './host-key-proof.ts'
import { decodeGlobalRequest, type GlobalRequest, requestFailure, requestSuccess } from './messages.ts'
import { pause } from './reading.ts'

/** How often each host key is proven to one client: signing is work. */
const mostProofs = 2

/** `answer`: the message, or what has to be done first. */
interface Waiting {
  readonly type: string
  readonly wantReply: boolean
  readonly answer: Buffer | ForwardRequest
}

export class GlobalRequests {
  readonly #service: ConnectionService
  /** OpenSSH PROTOCOL section 2.2: the client has promised to open no more session channels. */
  noMoreSessions = false
  #session: Session | undefined
  #refusal: Fault | undefined
  #forwards: Forwards | undefined
  /** The first is being worked on, once there is a session. Undefined: nothing waits. */
  #waiting: Waiting[] | undefined
  #working = false
  #proofs = 0

  constructor(service: ConnectionService) {
    this.#service = service
  }

  serve(session: Session): void {
    this.#session = session
    this.#begin()
  }

  refuse(why: Fault): void {
    this.#refusal = why
    this.#begin()
  }

  async end(): Promise<void> {
    this.#waiting = undefined
    await this.#forwards?.end()
  }

  message(payload: Buffer): void {
    const request = decodeGlobalRequest(payload)
    const { link } = this.#service
    // Without a readable `want reply` an answer would be taken for that to another request.
    if (request === undefined) {
      link.log.emit('SSH_DECODE_FAILED', { RequestType: 'global' })
      return
    }
    const { type, wantReply } = request
    const answer = this.#answer(request)
    if (this.#waiting === undefined && Buffer.isBuffer(answer)) {
      if (wantReply) link.wire.send(answer)
      return
    }
    this.#waiting ??= []
    this.#waiting.push({ type, wantReply, answer })
    if (this.#waiting.length >= link.limits.globalRequestsWaiting) link.reading.pause(pause.globals)
    this.#begin()
  }

  #answer({ type, data }: GlobalRequest): Waiting['answer'] {
    switch (type) {
      case 'keepalive@openssh.com':
        return requestFailure()
      case 'no-more-sessions@openssh.com':
        return this.#noMoreSessions(type, data)
      case 'hostkeys-prove-00@openssh.com':
        return this.#prove(type, data)
    }
    const { log, witness } = this.#service.link
    const request = decodeForwardRequest(type, data)
    witness?.globalRequest(type, data, request)
    if (request === undefined) return this.#malformed(type)
    if (request === 'unknown') {
      log.emit('SSH_UNSUPPORTED_GLOBAL_REQUEST', { type })
      return requestFailure()
    }
    log.emit('SSH_GLOBAL_REQUEST', { RequestType: type })
    return request
  }

  #noMoreSessions(type: string, data: Buffer): Buffer {
    this.#service.link.witness?.globalRequest(type, data, 'unknown')
    if (data.length > 0) return this.#malformed(type)
    this.#service.link.log.emit('SSH_GLOBAL_REQUEST', { RequestType: type })
    this.noMoreSessions = true
    return this.#succeeded(type)
  }

  #prove(type: string, data: Buffer): Buffer {
    const { log, negotiated, house, witness } = this.#service.link
    witness?.globalRequest(type, data, 'unknown')
    const blobs = decodeProofRequest(data, house.hostKeys.count)
    if (blobs === undefined) return this.#malformed(type)
    log.emit('SSH_GLOBAL_REQUEST', { RequestType: type })
    this.#proofs += blobs.length
    if (this.#proofs > mostProofs * house.hostKeys.count) return this.#failed(type, 'too many proofs')
    const signatures = house.hostKeys.prove(blobs, negotiated)
    if (signatures === undefined) return this.#failed(type, 'a key that is not ours')
    return this.#succeeded(type, signatures)
  }

  #begin(): void {
    if (this.#working || this.#waiting === undefined || (this.#session === undefined && this.#refusal === undefined))
      return
    this.#working = true
    this.#service.link.guard(this.#work())
  }

  async #work(): Promise<void> {
    const { wire, reading, limits } = this.#service.link
    for (let next = this.#waiting?.[0]; next !== undefined; next = this.#waiting?.[0]) {
      const { type, wantReply, answer } = next
      if (!Buffer.isBuffer(answer)) await this.#forward(type, wantReply, answer)
      else if (wantReply) wire.send(answer)
      // Only now: what arrives meanwhile is to be answered later.
      this.#waiting?.shift()
      if ((this.#waiting?.length ?? 0) < limits.globalRequestsWaiting) reading.resume(pause.globals)
    }
    this.#waiting = undefined
    this.#working = false
  }

  async #forward(type: string, wantReply: boolean, request: ForwardRequest): Promise<void> {
    const { link } = this.#service
    const verdict = await this.#decide(wantReply, request)
    if (link.over) {
      if (wantReply) link.log.emit('SSH_REPLY_SEND_FAILED', { RequestType: type })
      return
    }
    const { door } = request
    // RFC 4254 section 7.1: nothing else than a port that the client could not know.
    const port = verdict.accepted && door.kind === 'tcp' && door.port === 0 ? verdict.value?.port : undefined
    const data = port === undefined ? undefined : new Writer(0, 5).uint32(port).finish().subarray(1)
    const answer = verdict.accepted
      ? this.#succeeded(type, data)
      : this.#failed(type, verdict.fault, verdict.fault.code)
    if (wantReply) link.wire.send(answer)
    if (verdict.accepted) verdict.value?.begin()
    else link.heed(verdict)
  }

  async #decide(told: boolean, { act, door }: ForwardRequest): Promise<Verdict<Forward | undefined>> {
    const session = this.#session
    if (session === undefined) return { accepted: false, fault: asFault(this.#refusal) }
    this.#forwards ??= new Forwards(this.#service)
    try {
      return act === 'listen' ? await this.#forwards.listen(session, door, told) : await this.#forwards.cancel(door)
    } catch (error) {
      return { accepted: false, fault: asFault(error) }
    }
  }

  #succeeded(type: string, data?: Buffer): Buffer {
    this.#service.link.log.emit('SSH_GLOBAL_REQUEST_SUCCESSFUL', { RequestType: type })
    return requestSuccess(data)
  }

  #failed(type: string, cause: unknown, reason?: string): Buffer {
    this.#service.link.log.emit('SSH_GLOBAL_REQUEST_FAILED', { RequestType: type, reason }, { cause })
    return requestFailure()
  }

  #malformed(type: string): Buffer {
    this.#service.link.log.emit('SSH_DECODE_FAILED', { RequestType: type })
    return requestFailure()
  }
}
