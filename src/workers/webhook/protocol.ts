/**
/**
 * What is sent to the webhooks, byte for byte as ContainerSSH 0.6 does, in the order in which it is written.
 * Keyboard-interactive is our addition, in the same manner.
 */
import type { Member, Peer } from '../ports.ts'

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

/** `legacy`: also what servers from before 0.5 read. */
export const configurationRequest = (peer: Peer, member: Member, all: boolean, legacy: boolean): object => ({
  ...authorizationRequest(peer, member, all),
  ...(legacy && { sessionId: peer.connectionId, remoteAddr: peer.remoteAddress }),
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
