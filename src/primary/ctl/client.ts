/** Asks the daemon through its control socket. */
import { type IncomingMessage, request as open } from 'node:http'
import { userInfo } from 'node:os'
import { OPERATOR_HEADER } from '../control/operator.ts'

const ANSWER_MS = 15_000
/** A list of 20,000 connections is a tenth of this. */
const MAX_ANSWER_BYTES = 256 * 1024 * 1024

/** In place of an answer; one line for the operator, and the exit status. */
export class CtlError extends Error {
  readonly exitStatus: number
  constructor(exitStatus: number, message: string) {
    super(message)
    this.exitStatus = exitStatus
  }
}

export interface Question {
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly body?: object
}

/** The document of the answer, and its text. @throws CtlError */
export async function ask<T>(
  socket: string,
  question: Question,
): Promise<{ readonly value: T; readonly text: string }> {
  const text = await textOf(await answerTo(socket, question))
  return { value: parsed(text) as T, text } // of our own daemon
}

/** The answer, once it has begun. @throws CtlError */
export async function answerTo(socketPath: string, { method, path, body }: Question): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  const payload = body === undefined ? '' : JSON.stringify(body)
  const headers = { [OPERATOR_HEADER]: operatorName(), 'content-length': Buffer.byteLength(payload) }
  const request = open({ socketPath, method, path, headers, agent: false }, resolve)
  const late = (): void => void request.destroy(new Error('no answer in time'))
  const timer = setTimeout(late, ANSWER_MS)
  request.on('error', (error: NodeJS.ErrnoException) => reject(unreachable(socketPath, error)))
  request.end(payload)
  const response = await promise.finally(() => clearTimeout(timer))
  if (response.statusCode === 200) return response
  // Of our own daemon.
  const { error = '', message = '' } = parsed(await textOf(response)) as { error?: string; message?: string }
  throw new CtlError(exitStatuses[error] ?? 1, message)
}

const exitStatuses: Readonly<Record<string, number>> = { unknown: 5, ambiguous: 6, malformed: 2 }

function unreachable(socket: string, { code, message }: NodeJS.ErrnoException): CtlError {
  if (code === 'EACCES' || code === 'EPERM') {
    return new CtlError(4, `${socket}: you may not use this socket; its group may, and root`)
  }
  if (code === 'ENOENT' || code === 'ECONNREFUSED' || code === 'ENOTSOCK') {
    return new CtlError(3, `${socket}: no server answers here; does it run, and is control.path this path?`)
  }
  return new CtlError(code === 'ECONNRESET' ? 3 : 1, `${socket}: ${message}`)
}

/** @throws CtlError */
async function textOf(response: IncomingMessage): Promise<string> {
  const parts: Buffer[] = []
  let bytes = 0
  try {
    // Without an encoding, chunks are bytes.
    for await (const part of response as AsyncIterable<Buffer>) {
      bytes += part.length
      if (bytes > MAX_ANSWER_BYTES) throw new Error('the answer does not end')
      parts.push(part)
    }
  } catch (error) {
    throw new CtlError(1, `the server's answer was cut off: ${(error as Error).message}`)
  }
  return Buffer.concat(parts).toString()
}

/** @throws CtlError */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new CtlError(1, 'what answers at the socket is no control socket of ContainerSSH')
  }
}

/** For the log of the server: what we say of ourselves. */
function operatorName(): string {
  const sudo = process.env['SUDO_USER']
  try {
    const { username } = userInfo()
    return sudo === undefined ? username : `${username} (sudo of ${sudo})`
  } catch {
    return `uid ${process.getuid?.() ?? '?'}` // a user without a name
  }
}
