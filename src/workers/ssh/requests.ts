/**
 * Channel requests (RFC 4254 section 6). As in `messages.ts`, `undefined` means malformed; text that is not UTF-8, or
 * holds a NUL, is malformed (`Reader.text`). Results are copies.
 */
import type { ChannelRequest, Exit, Pty, WindowSize, X11 } from '../ports.ts'
import { Reader, Writer } from './bytes.ts'
import { message } from './numbers.ts'

export interface DecodedRequest {
  readonly recipient: number
  readonly type: string
  readonly wantReply: boolean
  /** Undefined when what follows the type is malformed: the request can still be answered. */
  readonly request: ChannelRequest | undefined
  /** What follows, when it is malformed. */
  readonly malformed?: Buffer
}

export function decodeChannelRequest(payload: Buffer): DecodedRequest | undefined {
  const reader = new Reader(payload, 1)
  const recipient = reader.uint32()
  const type = reader.name()
  const wantReply = reader.boolean()
  if (reader.failed) return undefined
  const start = reader.position
  const request = decodeByType(type, reader)
  if (reader.complete) return { recipient, type, wantReply, request }
  return { recipient, type, wantReply, request: undefined, malformed: Buffer.from(payload.subarray(start)) }
}

function decodeByType(type: string, reader: Reader): ChannelRequest {
  switch (type) {
    case 'env':
      return { kind: 'env', name: reader.text(), value: reader.text() }
    case 'pty-req':
      return { kind: 'pty-req', pty: readPty(reader) }
    case 'shell':
      return { kind: 'shell' }
    case 'exec':
      return { kind: 'exec', command: reader.text() }
    case 'subsystem':
      return { kind: 'subsystem', name: reader.text() }
    case 'window-change':
      return { kind: 'window-change', size: readSize(reader) }
    case 'signal':
      return { kind: 'signal', name: reader.text() }
    case 'x11-req':
      return { kind: 'x11-req', x11: readX11(reader) }
    case 'auth-agent-req@openssh.com':
      return { kind: 'auth-agent-req@openssh.com' }
    default:
      return { kind: 'unknown', type, payload: Buffer.from(reader.rest()) }
  }
}

const readSize = (reader: Reader): WindowSize => ({
  columns: reader.uint32(),
  rows: reader.uint32(),
  widthPixels: reader.uint32(),
  heightPixels: reader.uint32(),
})
const readPty = (reader: Reader): Pty => ({
  term: reader.text(),
  size: readSize(reader),
  modes: Buffer.from(reader.string()),
})
const readX11 = (reader: Reader): X11 => ({
  single: reader.boolean(),
  protocol: reader.text(),
  cookie: reader.text(),
  screen: reader.uint32(),
})

/** The client's side; the server never sends these. */
export function channelRequest(recipient: number, request: ChannelRequest, wantReply: boolean): Buffer {
  const type = request.kind === 'unknown' ? request.type : request.kind
  const writer = new Writer(message.channelRequest).uint32(recipient).string(Buffer.from(type, 'latin1'))
  writer.boolean(wantReply)
  switch (request.kind) {
    case 'env':
      return writer.string(request.name).string(request.value).finish()
    case 'pty-req':
      return writeSize(writer.string(request.pty.term), request.pty.size).string(request.pty.modes).finish()
    case 'shell':
    case 'auth-agent-req@openssh.com':
      return writer.finish()
    case 'x11-req': {
      const { single, protocol, cookie, screen } = request.x11
      return writer.boolean(single).string(protocol).string(cookie).uint32(screen).finish()
    }
    case 'exec':
      return writer.string(request.command).finish()
    case 'subsystem':
    case 'signal':
      return writer.string(request.name).finish()
    case 'window-change':
      return writeSize(writer, request.size).finish()
    case 'unknown':
      return writer.raw(request.payload).finish()
  }
}
const writeSize = (writer: Writer, size: WindowSize): Writer =>
  writer.uint32(size.columns).uint32(size.rows).uint32(size.widthPixels).uint32(size.heightPixels)

/** exit-status or exit-signal, RFC 4254 section 6.10. Any signal name; the language tag is empty. */
export function exitRequest(recipient: number, exit: Exit): Buffer {
  const writer = new Writer(message.channelRequest).uint32(recipient)
  if (exit.kind === 'status')
    return writer
      .string('exit-status')
      .boolean(false)
      .uint32(exit.code >>> 0)
      .finish()
  writer.string('exit-signal').boolean(false).string(exit.name).boolean(exit.coreDumped)
  return writer.string(exit.message).string('').finish()
}
