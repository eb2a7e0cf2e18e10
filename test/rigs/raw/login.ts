/** From a connection to a session: authentication (RFC 4252) and programs (RFC 4254 section 6.5). */
import { generateKeyPairSync, sign } from 'node:crypto'
import { sshString } from '../../../src/workers/ssh/blob.ts'
import { Reader, Writer } from '../../../src/workers/ssh/bytes.ts'
import { channelOpen } from '../../../src/workers/ssh/messages.ts'
import { message } from '../../../src/workers/ssh/numbers.ts'
import { publicKeyBlob } from '../../../src/workers/ssh/public-key.ts'
import { channelRequest } from '../../../src/workers/ssh/requests.ts'
import type { RawClient } from './client.ts'
import type { Lists } from './kexinit.ts'

export interface RawKey {
  readonly algorithm: string
  readonly blob: Buffer
  /** Of authorized_keys. */
  readonly line: string
  sign(data: Uint8Array): Buffer
}

export function makeRawKey(): RawKey {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const { type, blob } = publicKeyBlob(publicKey)
  const signature = (data: Uint8Array): Buffer => sshString(sign(null, data, privateKey))
  return {
    algorithm: type,
    blob,
    line: `${type} ${blob.toString('base64')}`,
    sign: (data) => Buffer.concat([sshString(type), signature(data)]),
  }
}

/** `bytes` of a password, or of what else follows the name of the method. */
export const attempt = (user: string | Uint8Array, method: string, rest: Uint8Array, service = 'ssh-connection') =>
  new Writer(message.userauthRequest).string(user).string(service).string(method).raw(rest).finish()
export const passwordAttempt = (user: string | Uint8Array, password: string | Uint8Array): Buffer =>
  attempt(user, 'password', Buffer.concat([Buffer.of(0), sshString(password)]))
/** Would this key do? RFC 4252 section 7. */
export const keyQuery = (user: string, algorithm: string, blob: Uint8Array): Buffer =>
  attempt(user, 'publickey', Buffer.concat([Buffer.of(0), sshString(algorithm), sshString(blob)]))
export function keyProof(client: RawClient, user: string, key: RawKey): Buffer {
  const rest = Buffer.concat([Buffer.of(1), sshString(key.algorithm), sshString(key.blob)])
  const request = attempt(user, 'publickey', rest)
  const signed = Buffer.concat([sshString(client.sessionId ?? Buffer.alloc(0)), request])
  return Buffer.concat([request, sshString(key.sign(signed))])
}

export const serviceRequest = (name = 'ssh-userauth'): Buffer => Buffer.concat([Buffer.of(5), sshString(name)])

/** Identification and the first key exchange. */
export async function handshake(client: RawClient, lists?: Lists): Promise<RawClient> {
  client.identify()
  await client.exchange(lists)
  return client
}
/** The same, and the service that authenticates. */
export async function approach(client: RawClient, lists?: Lists): Promise<RawClient> {
  await handshake(client, lists)
  client.send(serviceRequest())
  await client.receive(6)
  return client
}
export async function loginWithKey(client: RawClient, user: string, key: RawKey, lists?: Lists): Promise<RawClient> {
  await approach(client, lists)
  client.send(keyProof(client, user, key))
  await client.receive(message.userauthSuccess)
  return client
}

export interface OpenOptions {
  readonly sender?: number
  readonly windowBytes?: number
  readonly maximumPacket?: number
}
export const openSession = ({ sender = 0, windowBytes = 1 << 20, maximumPacket = 32_768 }: OpenOptions = {}): Buffer =>
  channelOpen({ type: 'session', sender, windowBytes, maximumPacket, data: Buffer.alloc(0) })

/** A session channel; gives the server's number of it. */
export async function session(client: RawClient, options?: OpenOptions): Promise<number> {
  client.send(openSession(options))
  return new Reader(await client.receive(message.channelOpenConfirmation), 5).uint32()
}
export const exec = (channel: number, command: string, wantReply = true): Buffer =>
  channelRequest(channel, { kind: 'exec', command }, wantReply)

/** Runs a program to its end on a channel of its own; gives its exit status. Rejects when it is refused, or has none. */
export async function run(client: RawClient, command: string): Promise<number> {
  const channel = await session(client)
  client.send(exec(channel, command))
  for (;;) {
    const payload = await client.receive()
    const [type] = payload
    if (type === message.channelFailure) throw new Error('the server refuses to run it')
    if (type === message.channelClose) throw new Error('the server gives no exit status')
    if (type !== message.channelRequest) continue
    const request = new Reader(payload, 5)
    if (request.name() !== 'exit-status') continue
    request.boolean()
    const status = request.uint32()
    await client.receive(message.channelClose)
    client.send(new Writer(message.channelClose, 5).uint32(channel).finish())
    return status
  }
}
