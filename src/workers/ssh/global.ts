/**
 * Global requests (RFC 4254 section 4), each answered before the next is looked at. None of those that are known needs
 * the user's session, so they are answered while it is being made, too: a client that asks for a sign of life gets one.
 */
import { fault } from '../../shared/codes/fault.ts'
import type { Link } from './link.ts'
import { decodeGlobalRequest, type GlobalRequest, requestFailure, requestSuccess } from './messages.ts'
import { forwardRequestIsWellFormed } from './requests.ts'

const forwardings: ReadonlySet<string> = new Set([
  'tcpip-forward',
  'cancel-tcpip-forward',
  'streamlocal-forward@openssh.com',
  'cancel-streamlocal-forward@openssh.com',
])

export class GlobalRequests {
  readonly #link: Link
  /** OpenSSH PROTOCOL section 2.2: the client has promised to open no more session channels. */
  noMoreSessions = false

  constructor(link: Link) {
    this.#link = link
  }

  message(payload: Buffer): void {
    const request = decodeGlobalRequest(payload)
    // Without a readable `want reply` an answer would be taken for that to another request.
    if (request === undefined) {
      this.#link.log.emit('SSH_DECODE_FAILED', { RequestType: 'global' })
      return
    }
    const success = this.#serve(request)
    if (request.wantReply) this.#link.wire.send(success ? requestSuccess() : requestFailure())
  }

  #serve({ type, data }: GlobalRequest): boolean {
    const { log } = this.#link
    if (type === 'keepalive@openssh.com') return false
    if (type === 'no-more-sessions@openssh.com') {
      if (data.length > 0) return this.#malformed(type)
      log.emit('SSH_GLOBAL_REQUEST', { RequestType: type })
      this.noMoreSessions = true
      log.emit('SSH_GLOBAL_REQUEST_SUCCESSFUL', { RequestType: type })
      return true
    }
    if (!forwardings.has(type)) {
      log.emit('SSH_UNSUPPORTED_GLOBAL_REQUEST', { type })
      return false
    }
    if (!forwardRequestIsWellFormed(type, data)) return this.#malformed(type)
    log.emit('SSH_GLOBAL_REQUEST', { RequestType: type })
    const cause = fault('SSH_NOT_IMPLEMENTED', { what: type })
    log.emit('SSH_GLOBAL_REQUEST_FAILED', { RequestType: type, reason: cause.code }, { cause })
    return false
  }

  #malformed(type: string): false {
    this.#link.log.emit('SSH_DECODE_FAILED', { RequestType: type })
    return false
  }
}
