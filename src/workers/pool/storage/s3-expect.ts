/**
 * A body that waits until the service wants it (RFC 9110 section 10.1.1). A service that refuses does so at once, and closes
 * the connection: while a body was being sent its answer could be lost.
 */
import { ClientRequest, type IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'

/** A service that does not know of this says nothing. */
const patienceMs = 1000

/** For requests with an `Expect` header; others get the body at once. */
export function sentWhenWanted(body: Readable): Readable {
  const pipe = body.pipe.bind(body)
  body.pipe = <W extends NodeJS.WritableStream>(request: W): W => {
    if (request instanceof ClientRequest && request.hasHeader('expect')) whenWanted(request, () => pipe(request))
    else pipe(request)
    return request
  }
  return body
}

function whenWanted(request: ClientRequest, send: () => void): void {
  const begin = (): void => {
    stopWaiting()
    send()
  }
  const refused = (response: IncomingMessage): void => {
    stopWaiting()
    // The request is not whole, so nothing else can come on this connection.
    response.once('end', () => request.destroy())
  }
  const timer = setTimeout(begin, patienceMs)
  const stopWaiting = (): void => {
    clearTimeout(timer)
    request.off('continue', begin).off('response', refused).off('close', stopWaiting)
  }
  request.on('continue', begin).on('response', refused).on('close', stopWaiting)
}
