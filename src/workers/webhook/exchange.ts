/** One HTTP request and the whole of its answer, without a stream in between: answers are small. */
import type { IncomingHttpHeaders } from 'node:http'
import type { Dispatcher } from 'undici'

/** Files for the container come in answers, so they may be large; nothing legitimate is larger than this. */
export const mostAnswerBytes = 16 * 1024 * 1024

export interface RawAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}
/** The answer is larger than `mostAnswerBytes`. */
export class TooLarge extends Error {
  readonly status: number
  constructor(status: number) {
    super(`the answer is larger than ${mostAnswerBytes >> 20} MiB`)
    this.name = 'TooLarge'
    this.status = status
  }
}

export class Exchange implements Dispatcher.DispatchHandler {
  readonly #done = Promise.withResolvers<RawAnswer>()
  readonly #started: (status: number) => void
  readonly #chunks: Buffer[] = []
  #length = 0
  #status = 0
  #headers: IncomingHttpHeaders = {}
  #controller: Dispatcher.DispatchController | undefined
  #aborted: Error | undefined

  /** `started` is called when the headers have arrived. */
  constructor(started: (status: number) => void) {
    this.#started = started
  }

  /** Rejects with what went wrong on the network, with `TooLarge`, or with the reason of the abort. */
  get answer(): Promise<RawAnswer> {
    return this.#done.promise
  }

  /** Also while the request waits for its connection: it is not sent any more then. */
  abort(reason: Error): void {
    if (this.#aborted !== undefined) return
    this.#aborted = reason
    this.#controller?.abort(reason)
    this.#done.reject(reason)
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    if (this.#aborted !== undefined) controller.abort(this.#aborted)
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    if (status < 200) return
    this.#status = status
    this.#headers = headers
    this.#started(status)
    if (Number(headers['content-length'] ?? 0) > mostAnswerBytes) this.abort(new TooLarge(status))
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#length += chunk.length
    if (this.#length > mostAnswerBytes) this.abort(new TooLarge(this.#status))
    else if (this.#aborted === undefined) this.#chunks.push(chunk)
  }

  onResponseEnd(): void {
    const [first = Buffer.alloc(0)] = this.#chunks
    const body = this.#chunks.length > 1 ? Buffer.concat(this.#chunks) : first
    this.#done.resolve({ status: this.#status, headers: this.#headers, body })
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#done.reject(error)
  }
}
