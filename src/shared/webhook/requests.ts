/**
 * What a webhook is asked, as its server reads it: the documents of ContainerSSH 0.6, and the names that versions before
 * 0.5 used for the same. What a server does not know it passes over.
 */
import type { FileDatum, Metadatum } from './data.ts'
import { base64, environment, files, listOf, metadata, objectOf, type Reader, readerOf, text } from './fields.ts'

/** About the connection and its user. Texts are empty where the daemon did not say. */
export interface WebhookRequest {
  /** The login name, as the client wrote it. */
  readonly username: string
  /** `ip:port`; only the address if a version before 0.5 asks. */
  readonly remoteAddress: string
  /** 32 hexadecimal digits; the same in the daemon's log. */
  readonly connectionId: string
  /** Identification string of the client (RFC 4253 section 4.2). */
  readonly clientVersion: string
  /** What earlier webhooks said, without what is sensitive unless the daemon is told to send that too. */
  readonly metadata: ReadonlyMap<string, Metadatum>
  readonly environment: ReadonlyMap<string, Metadatum>
  readonly files: ReadonlyMap<string, FileDatum>
}
export interface PasswordRequest extends WebhookRequest {
  /** As typed; not necessarily UTF-8. */
  readonly password: Buffer
}
export interface PublicKeyRequest extends WebhookRequest {
  /** `TYPE BASE64`, as in a line of authorized_keys. Possibly a certificate, which nobody has verified. */
  readonly publicKey: string
}
export interface InteractiveRequest extends WebhookRequest {
  /** What the client would like to be asked by (RFC 4256 section 3.1); mostly empty. */
  readonly submethods: string
  /** Undefined in the first round; later one for each prompt. */
  readonly answers: readonly Buffer[] | undefined
  /** Comes back from the challenge. */
  readonly state: string
}
export interface AuthorizationRequest extends WebhookRequest {
  /** Who the user has proved to be; empty if that was not said. */
  readonly authenticatedUsername: string
}
export type ConfigurationRequest = AuthorizationRequest

const common = {
  remoteAddress: text,
  connectionId: text,
  clientVersion: text,
  username: text,
  metadata,
  environment,
  files,
  // Before 0.5.
  user: text,
  sessionId: text,
  remoteAddr: text,
}
const named = ['username', 'user'] as const
const nothing: ReadonlyMap<string, never> = new Map<string, never>()

/** What the documents have in common, under the names of today. */
const requestOf = (found: ReturnType<typeof plain>): WebhookRequest => ({
  username: found.username ?? found.user ?? '',
  remoteAddress: found.remoteAddress ?? found.remoteAddr ?? '',
  connectionId: found.connectionId ?? found.sessionId ?? '',
  clientVersion: found.clientVersion ?? '',
  metadata: found.metadata ?? nothing,
  environment: found.environment ?? nothing,
  files: found.files ?? nothing,
})
const plain = objectOf(common, { open: true, needs: [named] })

const passwords = objectOf({ ...common, passwordBase64: base64 }, { open: true, needs: [named, ['passwordBase64']] })
export const passwordRequest: Reader<PasswordRequest> = readerOf(passwords.schema, (value, place) => {
  const { passwordBase64: password = Buffer.alloc(0), ...found } = passwords(value, place)
  return { ...requestOf(found), password }
})

/** The blob begins with the type of the key (RFC 4253 section 6.6). */
const lineOf = (blob: Buffer): string => {
  const length = blob.length >= 4 ? blob.readUInt32BE(0) : 0
  return `${blob.toString('latin1', 4, 4 + length)} ${blob.toString('base64')}`
}
const keys = objectOf(
  { ...common, publicKey: text, publicKeyBase64: base64 },
  { open: true, needs: [named, ['publicKey', 'publicKeyBase64']] },
)
export const publicKeyRequest: Reader<PublicKeyRequest> = readerOf(keys.schema, (value, place) => {
  const { publicKey, publicKeyBase64 = Buffer.alloc(0), ...found } = keys(value, place)
  return { ...requestOf(found), publicKey: publicKey ?? lineOf(publicKeyBase64) }
})

/** As many as there are prompts at most. */
const mostAnswers = 16
const interactions = objectOf(
  { ...common, submethods: text, state: text, answersBase64: listOf(base64, mostAnswers) },
  { open: true, needs: [named] },
)
export const interactiveRequest: Reader<InteractiveRequest> = readerOf(interactions.schema, (value, place) => {
  const { submethods = '', state = '', answersBase64: answers, ...found } = interactions(value, place)
  return { ...requestOf(found), submethods, state, answers }
})

const members = objectOf({ ...common, authenticatedUsername: text }, { open: true, needs: [named] })
/** Of the authorization webhook and of the configuration webhook. */
export const memberRequest: Reader<AuthorizationRequest> = readerOf(members.schema, (value, place) => {
  const { authenticatedUsername = '', ...found } = members(value, place)
  return { ...requestOf(found), authenticatedUsername }
})
