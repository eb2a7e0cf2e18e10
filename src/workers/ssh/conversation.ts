/** Keyboard-interactive authentication (RFC 4256): the questions of one attempt, one after the other. */
import type { Inquiry } from '../../shared/webhook/data.ts'
import type { Link } from './link.ts'
import { decodeInfoResponse, userauthInfoRequest } from './messages.ts'

/** Of one attempt; whoever asks more never means to let the user in. */
const mostInquiries = 16

export class Conversation {
  readonly #link: Link
  #inquiries = 0
  #prompts = 0
  #settle: ((payload: Buffer | undefined) => void) | undefined
  /** Answers, to be wiped. */
  #received: Buffer[] | undefined
  #over = false

  constructor(link: Link) {
    this.#link = link
  }

  /** An answer is expected. */
  get waiting(): boolean {
    return this.#settle !== undefined
  }

  /** See `Ask` in the ports. */
  async ask(inquiry: Inquiry): Promise<readonly Uint8Array[] | undefined> {
    const link = this.#link
    if (this.#over || link.over || this.#settle !== undefined || ++this.#inquiries > mostInquiries) return undefined
    this.#prompts = inquiry.prompts.length
    const { promise, resolve } = Promise.withResolvers<Buffer | undefined>()
    this.#settle = resolve
    const gone = (): void => this.abandon()
    link.signal.addEventListener('abort', gone, { once: true })
    link.wire.send(userauthInfoRequest(inquiry))
    const payload = await promise
    link.signal.removeEventListener('abort', gone)
    return payload === undefined ? undefined : decodeInfoResponse(payload, this.#prompts)
  }

  /** Takes ownership of an INFO_RESPONSE. */
  answer(payload: Buffer): void {
    this.#received ??= []
    this.#received.push(payload)
    this.#end(payload)
  }

  /** RFC 4256 section 3.1: the client began another attempt, or is gone. */
  abandon(): void {
    this.#over = true
    this.#end(undefined)
  }

  /** The attempt has been decided. */
  close(): void {
    this.abandon()
    for (const payload of this.#received ?? []) payload.fill(0)
  }

  #end(payload: Buffer | undefined): void {
    const settle = this.#settle
    this.#settle = undefined
    settle?.(payload)
  }
}
