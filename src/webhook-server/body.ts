/** The body of a request, as far as there is room for it. */
import type { IncomingMessage } from 'node:http'
import { failure, type Reply } from './reply.ts'

/** Bytes of bodies that are being read or decided about. */
export interface Room {
  readonly most: number
  taken: number
}

export interface Body extends Disposable {
  readonly bytes: Buffer
}

/**
 * The body, or why it is not taken. What it occupies is given back when it is disposed of. The rest of a body that is not
 * taken is read and thrown away, so that the caller gets the answer instead of a reset; the time limit for requests
 * bounds that. Rejects when the caller goes away in the midst of it.
 */
export function readBody(request: IncomingMessage, mostBytes: number, room: Room): Promise<Body | Reply> {
  const tooLarge = failure(413, `it has more than ${mostBytes} bytes`)
  if (Number(request.headers['content-length'] ?? 0) > mostBytes) return Promise.resolve(tooLarge)
  const { promise, resolve, reject } = Promise.withResolvers<Body | Reply>()
  const chunks: Buffer[] = []
  let length = 0
  const free = (): void => {
    room.taken -= length
    length = 0
    chunks.length = 0
  }
  const refuse = (reply: Reply): void => {
    request.off('data', take)
    free()
    resolve(reply)
    request.resume()
  }
  const take = (chunk: Buffer): void => {
    chunks.push(chunk)
    length += chunk.length
    room.taken += chunk.length
    if (length > mostBytes) refuse(tooLarge)
    else if (room.taken > room.most) refuse(failure(503))
  }
  request.on('data', take)
  request.once('end', () => resolve({ bytes: Buffer.concat(chunks), [Symbol.dispose]: free }))
  request.once('close', () => {
    if (request.complete) return
    free()
    reject(new Error('the caller went away'))
  })
  return promise
}
