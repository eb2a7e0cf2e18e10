/**
 * The documents of the authentication and authorization webhooks, byte for byte those of ContainerSSH 0.6: what is sent,
 * in the order in which it is written, and what may come back. Keyboard-interactive is our addition, in the same manner.
 */
import type { FileDatum, Inquiry, Member, Metadatum, Peer } from '../ports.ts'
import { environment, files, flag, listOf, metadata, objectOf, type Reader, text, textUpTo } from './fields.ts'

export interface Answer {
  readonly success: boolean
  /** Empty: the server does not say. */
  readonly authenticatedUsername: string
  readonly metadata: ReadonlyMap<string, Metadatum>
  readonly environment: ReadonlyMap<string, Metadatum>
  readonly files: ReadonlyMap<string, FileDatum>
}
/** What the server wants to know before it decides; `state` comes back to it with the answers. */
export interface Challenge extends Inquiry {
  readonly state: string
}

type Entries = Readonly<Record<string, { readonly value: string; readonly sensitive: boolean }>>
type Extras = Pick<Member, 'metadata' | 'environment' | 'files'>

/** The beginning of every document. IPv4-mapped addresses have been shortened by whoever took the connection. */
const head = ({ remoteAddress, remotePort, connectionId }: Peer) => ({
  remoteAddress: remoteAddress.includes(':') ? `[${remoteAddress}]:${remotePort}` : `${remoteAddress}:${remotePort}`,
  connectionId,
})
const who = (peer: Peer, username: string) => ({ clientVersion: peer.clientVersion, username })
const base64 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64')

export const passwordRequest = (peer: Peer, username: string, password: Uint8Array, legacy: boolean): object => ({
  ...head(peer),
  ...who(peer, username),
  ...(legacy && { user: username, sessionId: peer.connectionId }),
  passwordBase64: base64(password),
})

/** `line` is one of authorized_keys, without options and comment. */
export const publicKeyRequest = (peer: Peer, username: string, line: string, legacy: boolean): object => ({
  ...head(peer),
  ...who(peer, username),
  ...(legacy && { user: username, sessionId: peer.connectionId, publicKeyBase64: line.slice(line.indexOf(' ') + 1) }),
  publicKey: line,
})

/** One line of authorized_keys. The blob begins with the type, which for RSA is not the name of the signature's algorithm. */
export const keyLine = (blob: Uint8Array): string => {
  const bytes = Buffer.from(blob.buffer, blob.byteOffset, blob.length)
  return `${bytes.toString('latin1', 4, 4 + bytes.readUInt32BE(0))} ${bytes.toString('base64')}`
}

/** `answers` undefined: the first request of an attempt. */
export const interactiveRequest = (
  peer: Peer,
  username: string,
  submethods: string,
  answers: readonly Uint8Array[] | undefined,
  state: string,
  legacy: boolean,
): object => ({
  ...head(peer),
  ...who(peer, username),
  ...(legacy && { user: username, sessionId: peer.connectionId }),
  ...(submethods !== '' && { submethods }),
  ...(answers !== undefined && { state, answersBase64: answers.map(base64) }),
})

/** `all`: also what is marked as sensitive. Go writes maps in the order of their keys' bytes. */
export const authorizationRequest = (peer: Peer, member: Member, all: boolean): object => ({
  ...head(peer),
  ...extras(member, all),
  ...who(peer, member.username),
  ...(member.authenticatedUsername !== '' && { authenticatedUsername: member.authenticatedUsername }),
})

/** `metadata`, `environment` and `files` where they are not empty. */
export const extras = (member: Extras, all: boolean): object => ({
  ...entries('metadata', member.metadata, all, String),
  ...entries('environment', member.environment, all, String),
  ...entries('files', member.files, all, base64),
})

function entries<V>(
  key: string,
  map: ReadonlyMap<string, { readonly value: V; readonly sensitive: boolean }>,
  all: boolean,
  write: (value: V) => string,
): Readonly<Record<string, Entries>> {
  if (map.size === 0) return {}
  const kept = [...map].filter(([, { sensitive }]) => all || !sensitive)
  if (kept.length === 0) return {}
  kept.sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  return {
    [key]: Object.fromEntries(kept.map(([name, { value, sensitive }]) => [name, { value: write(value), sensitive }])),
  }
}

const address: Reader<string> = (value, place) => {
  const found = text(value, place)
  if (!/^(?:[\d.]+|\[[\da-f:.]+\]):\d{1,5}$/i.test(found)) throw new Error(`${place} is not ip:port`)
  return found
}

const properties = {
  success: flag,
  authenticatedUsername: text,
  metadata,
  environment,
  files,
  // An echo of the request is tolerated.
  username: text,
  connectionId: text,
  remoteAddress: address,
  clientVersion: text,
}
const answer = objectOf(properties)
const nothing: ReadonlyMap<string, never> = new Map<string, never>()

const answerOf = (found: ReturnType<typeof answer>): Answer => ({
  success: found.success ?? false,
  authenticatedUsername: found.authenticatedUsername ?? '',
  metadata: found.metadata ?? nothing,
  environment: found.environment ?? nothing,
  files: found.files ?? nothing,
})

/** @throws Error that says what is wrong */
export const decodeAnswer = (value: unknown): Answer => answerOf(answer(value, ''))

/** Of a challenge: what fits on a screen, and a state that fits into a cookie. */
const mostPrompts = 16
const shown = textUpTo(8192)
const interactive = objectOf({
  ...properties,
  challenge: objectOf({
    name: textUpTo(255),
    instruction: shown,
    state: textUpTo(4096),
    prompts: listOf(objectOf({ text: shown, echo: flag }), mostPrompts),
  }),
})

/** An answer, or the questions that come before it. @throws Error that says what is wrong */
export function decodeInteractive(value: unknown): Answer | Challenge {
  const { challenge, ...found } = interactive(value, '')
  if (challenge === undefined) return answerOf(found)
  if (found.success === true) throw new Error('success and challenge exclude each other')
  const { name = '', instruction = '', state = '', prompts = [] } = challenge
  return { name, instruction, state, prompts: prompts.map(({ text = '', echo = false }) => ({ text, echo })) }
}
