/**
 * The streams of a program in a pod over one WebSocket: `v5.channel.k8s.io` (Kubernetes 1.30 and later), where the end of
 * input can be told, or `v4.channel.k8s.io`, where it cannot. Each message is one byte that names the channel, then bytes
 * (kubernetes/enhancements KEP-4006). Pauses reach the API server, and writing waits for the socket.
 */
import { WebSocket } from 'ws'
import type { RoomStream } from '../guest/exec-stream.ts'
import { noAnswer, refusal } from './answer.ts'
import { callBegins, callFailed } from './calls.ts'
import type { Door } from './client.ts'
import { ApiError } from './failure.ts'

export interface StreamReader {
  /** The bytes are lent for the call. */
  data(channel: 'stdout' | 'stderr', bytes: Uint8Array): void
  /** How the program ended, or why it could not begin; at most once, before `ended`. */
  status(status: Status): void
  /** Exactly once. Without an error the server closed the stream in order. */
  ended(error: Error | undefined): void
}
/** The part of a Status object that tells how a program ended. */
export interface Status {
  readonly status?: string
  readonly reason?: string
  readonly message?: string
  readonly details?: { readonly causes?: readonly { readonly reason?: string; readonly message?: string }[] }
}

/** After `destroy` there is no call to `ended`. */
export interface PodStream extends Omit<RoomStream, 'end'> {
  /** Called once; what came before is delivered at once. */
  read(reader: StreamReader): void
  /** False: this server cannot be told that the input ends. */
  end(): boolean
  resize(columns: number, rows: number): void
}

/** What is at the other end, newest protocol first. The kubelet's way to a port has never had another. */
const protocols = {
  program: ['v5.channel.k8s.io', 'v4.channel.k8s.io'],
  port: ['v4.channel.k8s.io'],
} as const
export type End = keyof typeof protocols
const channel = { stdin: 0, stdout: 1, stderr: 2, status: 3, resize: 4, close: 255 } as const
/** Of one port: both directions, and what the kubelet complains about. */
const portChannel = { ...channel, stdout: 0, stderr: 1 } as const
/** Input that the socket has not taken; above, the client is not asked for more. */
const mostQueuedBytes = 256 * 1024
/** The API server sends at most 32 KiB and a byte. */
const mostMessageBytes = 4 * 2 ** 20
/** A connection that a proxy has forgotten is noticed by then. */
const pingMs = 30_000

/**
 * Masks keep what a client sends from looking like HTTP to the proxies in between (RFC 6455 section 10.3). Inside TLS
 * nobody looks, and the library's masking costs more CPU than all the rest of the way: a key of zeros leaves it out.
 */
const withoutMask = (mask: Buffer): void => void mask.fill(0)

/** @throws ApiError when the server refuses or does not answer, the signal's reason when it was aborted. */
export function openStream({ url, headers, tls }: Door, end: End, signal: AbortSignal): Promise<PodStream> {
  const spoken: readonly string[] = protocols[end]
  return new Promise((resolve, reject) => {
    signal.throwIfAborted()
    callBegins()
    const socket = new WebSocket(url, [...spoken], {
      headers,
      ...tls,
      perMessageDeflate: false,
      maxPayload: mostMessageBytes,
      skipUTF8Validation: true,
      followRedirects: false,
      ...(url.startsWith('wss:') && { generateMask: withoutMask }),
    })
    const aborted = (): void => {
      socket.on('error', () => undefined).terminate()
      reject(signal.reason)
    }
    signal.addEventListener('abort', aborted, { once: true })
    const settled = (): void => signal.removeEventListener('abort', aborted)
    const failed = (error: Error): void => {
      settled()
      callFailed()
      reject(error instanceof ApiError ? error : noAnswer(url.split('?')[0] ?? '', error))
    }
    socket.once('unexpected-response', (request, response) => {
      let body = ''
      response.setEncoding('utf8').on('data', (text: string) => {
        if (body.length < 65_536) body += text
      })
      response.on('close', () => {
        failed(refusal(response.statusCode ?? 0, response.headers, body))
        request.destroy()
      })
    })
    socket.once('error', failed)
    socket.once('open', () => {
      settled()
      socket.off('error', failed)
      if (!spoken.includes(socket.protocol)) {
        socket.terminate()
        failed(new ApiError(200, `the API server speaks ${JSON.stringify(socket.protocol)}, expected ${spoken[0]}`))
        return
      }
      resolve(streamOf(socket, end === 'port' ? portChannel : channel))
    })
  })
}

function streamOf(socket: WebSocket, numbers: typeof channel | typeof portChannel): PodStream {
  let reader: StreamReader | undefined
  let drain: (() => void) | undefined
  let isFull = false
  let isOver = false
  let isAlive = true
  socket.binaryType = 'nodebuffer'
  // Nothing is read before somebody takes it.
  socket.pause()

  const ended = (error: Error | undefined): void => {
    if (isOver) return
    isOver = true
    clearInterval(ping)
    reader?.ended(error)
  }
  const ping = setInterval(() => {
    if (!isAlive) {
      socket.terminate()
      ended(new Error(`the API server did not answer a ping for ${pingMs / 1000} s`))
      return
    }
    // While it is paused the answer is not read either.
    if (socket.isPaused) return
    isAlive = false
    socket.ping()
  }, pingMs)
  ping.unref()
  socket.on('pong', () => {
    isAlive = true
  })
  socket.on('message', (message: Buffer) => {
    isAlive = true
    const bytes = message.subarray(1)
    if (message[0] === numbers.stdout) reader?.data('stdout', bytes)
    else if (message[0] === numbers.stderr) reader?.data('stderr', bytes)
    else if (message[0] === channel.status) reader?.status(statusOf(bytes))
  })
  socket.on('error', (error) => ended(error))
  socket.on('close', (code) => {
    ended(code === 1000 ? undefined : new Error(`the API server ended the stream with code ${code}`))
  })
  const sent = (): void => {
    if (!isFull || socket.bufferedAmount > mostQueuedBytes / 4) return
    isFull = false
    drain?.()
  }
  const send = (bytes: Buffer): void => {
    if (!isOver && socket.readyState === WebSocket.OPEN) socket.send(bytes, sent)
  }
  const message = (number: number, bytes: Uint8Array): Buffer => {
    const whole = Buffer.allocUnsafe(1 + bytes.length)
    whole[0] = number
    whole.set(bytes, 1)
    return whole
  }
  return {
    read(to) {
      reader = to
      socket.resume()
    },
    pause: () => socket.pause(),
    resume() {
      isAlive = true
      socket.resume()
    },
    write(bytes) {
      send(message(channel.stdin, bytes))
      isFull = !isOver && socket.bufferedAmount > mostQueuedBytes
      return !isFull
    },
    onDrain(listener) {
      drain = listener
    },
    end() {
      if (socket.protocol !== protocols.program[0]) return false
      send(Buffer.of(channel.close, channel.stdin))
      return true
    },
    resize(columns, rows) {
      send(message(channel.resize, Buffer.from(JSON.stringify({ Width: columns, Height: rows }))))
    },
    destroy() {
      isOver = true
      clearInterval(ping)
      socket.terminate()
    },
  }
}

/** What is no Status is told as one that says so: never taken for success. */
function statusOf(bytes: Buffer): Status {
  try {
    const status: unknown = JSON.parse(bytes.toString('utf8'))
    if (typeof status === 'object' && status !== null) return status
  } catch {
    // told below
  }
  return { status: 'Failure', reason: 'InternalError', message: bytes.toString('utf8').slice(0, 1000) }
}
