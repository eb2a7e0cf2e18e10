/**
 * A connection to the engine that becomes a raw stream (https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Container/operation/ContainerAttach).
 * Made on a bare socket: no stream layers between the kernel and the demultiplexer, one read buffer for the whole
 * worker, half-close, and pauses that reach the engine.
 */
import { connect, isIP, type Socket } from 'node:net'
import { connect as connectTls, type SecureContext } from 'node:tls'
import { type RawReader, type RawStream, rawStream, readBuffer } from '../guest/raw-stream.ts'
import type { Address } from './address.ts'
import { EngineError } from './failure.ts'

export interface Upgrade {
  readonly path: string
  /** An attach has none: Podman would take it for the program's input. */
  readonly body: object | undefined
}

/** A response head longer than this does not come from an engine. */
const MAX_HEAD_BYTES = 16 * 1024
const MAX_ERROR_BYTES = 64 * 1024
/** The end of a chunked body (RFC 9112 section 7.1); the engine keeps the connection open after an error. */
const LAST_CHUNK = /(^|\r\n)0\r\n\r\n$/

/** @throws EngineError when the engine refuses or cannot be reached, the signal's reason when it was aborted. */
export function hijack(
  address: Address,
  secureContext: SecureContext | undefined,
  upgrade: Upgrade,
  signal: AbortSignal,
): Promise<RawStream> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted()
    let reader: RawReader | undefined
    let early: Buffer | undefined
    let over: { error: Error | undefined } | undefined
    let head: Buffer = Buffer.alloc(0)
    let state: 'head' | 'error' | 'raw' = 'head'
    let statusCode = 0
    let bodyBytes = 0
    let silent = false

    const ended = (error: Error | undefined): void => {
      if (over !== undefined) return
      over = { error }
      signal.removeEventListener('abort', aborted)
      if (state === 'error') reject(new EngineError(statusCode, messageOf(head)))
      else if (state === 'head') reject(noAnswer(address, error ?? new Error('it closed the connection')))
      else reader?.ended(error)
    }
    const received = (bytes: Buffer): void => {
      if (state === 'raw') {
        if (reader === undefined) early = early === undefined ? Buffer.from(bytes) : Buffer.concat([early, bytes])
        else reader.data(bytes)
        return
      }
      head = Buffer.concat([head, bytes])
      if (state === 'head') parseHead()
      if (
        state === 'error' &&
        (head.length >= bodyBytes || head.length > MAX_ERROR_BYTES || LAST_CHUNK.test(head.toString('latin1')))
      ) {
        ended(undefined)
        socket.destroy()
      }
    }
    const parseHead = (): void => {
      const end = head.indexOf('\r\n\r\n')
      if (end < 0) {
        if (head.length > MAX_HEAD_BYTES) socket.destroy(new Error('it does not speak HTTP'))
        return
      }
      const text = head.toString('latin1', 0, end)
      statusCode = Number(/^HTTP\/1\.[01] (\d{3})/.exec(text)?.[1] ?? 0)
      const rest = head.subarray(end + 4)
      // 200 with a raw stream is what engines answer that ignore the upgrade (before API 1.20, and Podman).
      if (statusCode === 101 || (statusCode === 200 && /^content-type: *application\/vnd\.docker\./im.test(text))) {
        state = 'raw'
        signal.removeEventListener('abort', aborted)
        early = rest.length > 0 ? Buffer.from(rest) : undefined
        socket.pause() // until somebody reads
        resolve(stream)
      } else {
        state = 'error'
        bodyBytes = Number(/^content-length: *(\d+)/im.exec(text)?.[1] ?? Number.POSITIVE_INFINITY)
        head = rest
      }
    }
    const socket = open(address, secureContext, received)
    const aborted = (): void => {
      over = { error: undefined }
      socket.destroy()
      reject(signal.reason)
    }
    signal.addEventListener('abort', aborted, { once: true })
    const stream = rawStream(socket, {
      attach(to) {
        reader = to
        const first = early
        early = undefined
        if (over === undefined) socket.resume() // first, because the reader may want a pause at once
        if (first !== undefined) to.data(first)
        if (over !== undefined) to.ended(over.error)
      },
      silence() {
        silent = true
        over ??= { error: undefined }
      },
    })
    socket.on('error', (error: NodeJS.ErrnoException) => {
      // Also after the end of the output, when the engine has closed its side and does not read ours.
      if (!silent && (error.syscall === 'write' || stream.unwritten > 0)) reader?.inputFailed(error)
      ended(error)
    })
    socket.on('end', () => ended(undefined))
    socket.on('close', () => ended(undefined))
    socket.write(requestText(address, upgrade))
  })
}

function open(address: Address, secureContext: SecureContext | undefined, received: (bytes: Buffer) => void): Socket {
  if (address.kind === 'tcp' && secureContext !== undefined) {
    const { hostname, port } = address
    const half = { allowHalfOpen: true } // taken by tls.connect, though its types do not know it
    const servername = isIP(hostname) === 0 ? hostname : ''
    return connectTls({ ...half, secureContext, host: hostname, port, servername }).on('data', received)
  }
  const target = address.kind === 'unix' ? { path: address.path } : { host: address.hostname, port: address.port }
  const onread = {
    buffer: readBuffer,
    callback: (length: number, buffer: Uint8Array): boolean => {
      // It is the one above.
      received((buffer as Buffer).subarray(0, length))
      return true
    },
  }
  // Taken by the stream below, though the types of `connect` do not know it.
  const more = { allowHalfOpen: true }
  const socket = connect({ ...target, ...more, onread })
  return address.kind === 'tcp' ? socket.setNoDelay(true) : socket
}

function requestText(address: Address, upgrade: Upgrade): string {
  const body = upgrade.body === undefined ? '' : JSON.stringify(upgrade.body)
  const host = address.kind === 'unix' ? 'docker' : `${address.hostname}:${address.port}`
  return [
    `POST ${upgrade.path} HTTP/1.1`,
    `Host: ${host}`,
    'Connection: Upgrade',
    'Upgrade: tcp',
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    '',
    body,
  ].join('\r\n')
}

export const noAnswer = (address: Address, error: Error): EngineError =>
  new EngineError(0, `the engine at ${address.host} does not answer: ${error.message}`, { cause: error })

/** The engine's sentence out of an error body, chunked or not. */
function messageOf(body: Buffer): string {
  const text = body.toString('utf8')
  const json = text.slice(text.indexOf('{'), text.lastIndexOf('}') + 1)
  try {
    const { message } = JSON.parse(json) as { message?: unknown }
    if (typeof message === 'string') return message
  } catch {
    // not JSON: a proxy in between
  }
  return text.trim() === '' ? 'no reason given' : text.trim()
}
