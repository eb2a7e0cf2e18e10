/**
 * Messages of RFC 4252, RFC 4256 and of RFC 4254 section 4 and 5: bytes to typed values and back. A decoder gives `undefined` for
 * a malformed message, and bytes left over make a message malformed. Buffers in the result are views: copy what is kept.
 */
import type { Inquiry } from '../../shared/webhook/data.ts'
import { longestNameBytes, Reader, textOf, Writer } from './bytes.ts'
import { maximumPacketBytes, message } from './numbers.ts'

/** RFC 4252 section 5. */
export interface UserauthRequest {
  /** Undefined when it is not UTF-8, or too long: such a name is refused, never changed into another. */
  readonly user: string | undefined
  readonly service: string
  readonly method: UserauthMethod
}
export type UserauthMethod =
  | { readonly kind: 'none' }
  | { readonly kind: 'password'; readonly password: Buffer }
  /** RFC 4252 section 8: the client asks to change the password; the new one is not even read. */
  | { readonly kind: 'password-change' }
  | { readonly kind: 'publickey'; readonly algorithm: string; readonly blob: Buffer; readonly proof: Proof | undefined }
  | { readonly kind: 'keyboard-interactive'; readonly submethods: string }
  | { readonly kind: 'other'; readonly name: string }
  /** The fields of a method that we know do not hold together. */
  | { readonly kind: 'malformed'; readonly name: string }
/** What the client signed (RFC 4252 section 7) except for the session id that stands in front of it. */
export interface Proof {
  readonly signature: Buffer
  readonly signed: Buffer
}

export function decodeUserauthRequest(payload: Buffer): UserauthRequest | undefined {
  const reader = new Reader(payload, 1)
  const userBytes = reader.string()
  const user = userBytes.length > longestNameBytes ? undefined : textOf(userBytes)
  const service = reader.name()
  const name = reader.name()
  if (reader.failed) return undefined
  return { user, service, method: decodeMethod(name, payload, reader) }
}

function decodeMethod(name: string, payload: Buffer, reader: Reader): UserauthMethod {
  switch (name) {
    case 'none':
      return reader.complete ? { kind: 'none' } : { kind: 'malformed', name }
    case 'password': {
      const change = reader.boolean()
      const password = reader.string()
      if (change && !reader.failed) return { kind: 'password-change' }
      return reader.complete ? { kind: 'password', password } : { kind: 'malformed', name }
    }
    case 'publickey': {
      const withSignature = reader.boolean()
      const algorithm = reader.name()
      const blob = reader.string()
      const signed = payload.subarray(0, reader.position)
      const proof = withSignature ? { signature: reader.string(), signed } : undefined
      return reader.complete ? { kind: 'publickey', algorithm, blob, proof } : { kind: 'malformed', name }
    }
    case 'keyboard-interactive': {
      // The language tag is deprecated (RFC 4256 section 3.1).
      reader.name()
      const submethods = reader.name()
      return reader.complete ? { kind: name, submethods } : { kind: 'malformed', name }
    }
    default:
      return { kind: 'other', name }
  }
}

/** RFC 4252 section 5.1. `partial`: the attempt was right, and something else is needed too. */
export const userauthFailure = (methods: readonly string[], partial: boolean): Buffer =>
  new Writer(message.userauthFailure).string(methods.join(',')).boolean(partial).finish()
/** RFC 4252 section 5.4; the text goes out unchanged, the language tag is empty. */
export const userauthBanner = (text: string): Buffer =>
  new Writer(message.userauthBanner).string(text).string('').finish()
export const userauthSuccess = (): Buffer => new Writer(message.userauthSuccess, 1).finish()
/** RFC 4252 section 7. */
export const userauthPkOk = (algorithm: string, blob: Uint8Array): Buffer =>
  new Writer(message.userauthPkOk).string(algorithm).string(blob).finish()

/** RFC 4256 section 3.2; the language tag is empty. */
export function userauthInfoRequest({ name, instruction, prompts }: Inquiry): Buffer {
  const writer = new Writer(message.userauthInfoRequest).string(name).string(instruction).string('')
  writer.uint32(prompts.length)
  for (const { text, echo } of prompts) writer.string(text).boolean(echo)
  return writer.finish()
}
/** RFC 4256 section 3.4. Undefined when malformed, or when the answers are not `count`. */
export function decodeInfoResponse(payload: Buffer, count: number): Buffer[] | undefined {
  const reader = new Reader(payload, 1)
  if (reader.uint32() !== count) return undefined
  const answers = Array.from({ length: count }, () => reader.string())
  return reader.complete ? answers : undefined
}

/** RFC 4254 section 4. */
export interface GlobalRequest {
  readonly type: string
  readonly wantReply: boolean
  /** What follows, to be decoded by type. */
  readonly data: Buffer
}
export function decodeGlobalRequest(payload: Buffer): GlobalRequest | undefined {
  const reader = new Reader(payload, 1)
  const type = reader.name()
  const wantReply = reader.boolean()
  return reader.failed ? undefined : { type, wantReply, data: reader.rest() }
}
export const globalRequest = (type: string, wantReply: boolean, data?: Uint8Array): Buffer => {
  const writer = new Writer(message.globalRequest).string(type).boolean(wantReply)
  return (data === undefined ? writer : writer.raw(data)).finish()
}
/** What is in `data` depends on the request; most have nothing. */
export const requestSuccess = (data?: Uint8Array): Buffer => {
  const writer = new Writer(message.requestSuccess, 1 + (data?.length ?? 0))
  return (data === undefined ? writer : writer.raw(data)).finish()
}
export const requestFailure = (): Buffer => new Writer(message.requestFailure, 1).finish()

/** RFC 4254 section 5.1. */
export interface ChannelOpen {
  readonly type: string
  /** The client's number of the channel. */
  readonly sender: number
  readonly windowBytes: number
  readonly maximumPacket: number
  /** What follows, to be decoded by type. */
  readonly data: Buffer
}
export function decodeChannelOpen(payload: Buffer): ChannelOpen | undefined {
  const reader = new Reader(payload, 1)
  const open = {
    type: reader.name(),
    sender: reader.uint32(),
    windowBytes: reader.uint32(),
    maximumPacket: reader.uint32(),
  }
  return reader.failed ? undefined : { ...open, data: reader.rest() }
}
export const channelOpen = (open: ChannelOpen): Buffer =>
  new Writer(message.channelOpen)
    .string(open.type)
    .uint32(open.sender)
    .uint32(open.windowBytes)
    .uint32(open.maximumPacket)
    .raw(open.data)
    .finish()

export const channelOpenConfirmation = (
  recipient: number,
  sender: number,
  windowBytes: number,
  maximumPacket: number,
): Buffer =>
  new Writer(message.channelOpenConfirmation)
    .uint32(recipient)
    .uint32(sender)
    .uint32(windowBytes)
    .uint32(maximumPacket)
    .finish()
export const channelOpenFailure = (recipient: number, reason: number, description: string): Buffer =>
  new Writer(message.channelOpenFailure).uint32(recipient).uint32(reason).string(description).string('').finish()

/** `recipient` is our number, the rest is the client's end. */
export interface OpenConfirmation {
  readonly recipient: number
  readonly sender: number
  readonly windowBytes: number
  readonly maximumPacket: number
}
export function decodeOpenConfirmation(payload: Buffer): OpenConfirmation | undefined {
  const reader = new Reader(payload, 1)
  const confirmation = {
    recipient: reader.uint32(),
    sender: reader.uint32(),
    windowBytes: reader.uint32(),
    maximumPacket: reader.uint32(),
  }
  // Data that depends on the type may follow; ours have none.
  return reader.failed ? undefined : confirmation
}
export interface OpenFailure {
  readonly recipient: number
  readonly reason: number
  /** At most 255 bytes of it: it goes to the log. */
  readonly description: string
}
export function decodeOpenFailure(payload: Buffer): OpenFailure | undefined {
  const reader = new Reader(payload, 1)
  const recipient = reader.uint32()
  const reason = reader.uint32()
  const description = reader.string().subarray(0, longestNameBytes).toString()
  return reader.failed ? undefined : { recipient, reason, description }
}

/** What is wrong with CHANNEL_DATA or CHANNEL_EXTENDED_DATA (RFC 4254 section 5.2) whose bytes begin at `start`. */
export function dataProblem(payload: Buffer, start: number): string | undefined {
  const length = payload.length - start
  if (length < 0 || payload.readUInt32BE(start - 4) !== length) return 'malformed channel data'
  return length > maximumPacketBytes ? 'a packet larger than announced' : undefined
}

/** EOF, CLOSE, SUCCESS and FAILURE: the recipient and nothing else. */
export const channelMessage = (messageNumber: number, recipient: number): Buffer =>
  new Writer(messageNumber, 5).uint32(recipient).finish()
/** RFC 4254 section 5.2. */
export const windowAdjust = (recipient: number, bytes: number): Buffer =>
  new Writer(message.channelWindowAdjust, 9).uint32(recipient).uint32(bytes).finish()

/** OpenSSH PROTOCOL section 1.9; `data` of the PING comes back. Undefined when malformed. */
export function pongFor(payload: Buffer): Buffer | undefined {
  const reader = new Reader(payload, 1)
  const data = reader.string()
  return reader.complete ? new Writer(message.pong).string(data).finish() : undefined
}
