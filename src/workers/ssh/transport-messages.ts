/** The messages of the transport layer itself, RFC 4253 sections 10 and 11, and RFC 8308. */
import { BlobReader, MalformedBlob, sshString } from './blob.ts'
import { longestNameBytes } from './bytes.ts'
import { parse } from './protocol-error.ts'
import { signatureAlgorithms } from './public-key.ts'

/** Message numbers, RFC 4250 section 4.1.2. */
export const transportMessage = {
  disconnect: 1,
  ignore: 2,
  unimplemented: 3,
  debug: 4,
  serviceRequest: 5,
  serviceAccept: 6,
  extInfo: 7,
} as const

/** RFC 4250 section 4.1.1; PING is OpenSSH's, and answered by the layer above. */
export const isKexMessage = (type: number): boolean => type >= 20 && type <= 49
export const isServiceMessage = (type: number): boolean => (type >= 50 && type <= 127) || type === 192

const uint32 = (value: number): Buffer => {
  const out = Buffer.alloc(4)
  out.writeUInt32BE(value)
  return out
}

/** `reason`: RFC 4253 section 11.1. The language tag is empty. */
export const disconnectMessage = (reason: number, description: string): Buffer =>
  Buffer.concat([Buffer.of(transportMessage.disconnect), uint32(reason), sshString(description), uint32(0)])

/** `sequence` is the number of the packet that nobody understands. */
export const unimplementedMessage = (sequence: number): Buffer =>
  Buffer.concat([Buffer.of(transportMessage.unimplemented), uint32(sequence)])

export const serviceAcceptMessage = (service: string): Buffer =>
  Buffer.concat([Buffer.of(transportMessage.serviceAccept), sshString(service)])

/** PING (OpenSSH's PROTOCOL section 1.9) is announced here and answered above the wire. */
export const extInfoMessage = Buffer.concat([
  Buffer.of(transportMessage.extInfo),
  uint32(2),
  sshString('server-sig-algs'),
  sshString(signatureAlgorithms.join(',')),
  sshString('ping@openssh.com'),
  sshString('0'),
])

/** Throws a ProtocolError when it is malformed. The description is for the log: not trusted, but bounded. */
export const readDisconnect = (payload: Buffer): { readonly reason: number; readonly description: string } =>
  parse('DISCONNECT', () => {
    const reader = new BlobReader(payload.subarray(1))
    const reason = reader.uint32('reason')
    return { reason, description: Buffer.from(reader.string('description')).toString('utf8').slice(0, 200) }
  })

export const readServiceRequest = (payload: Buffer): string =>
  parse('SERVICE_REQUEST', () => {
    const reader = new BlobReader(payload.subarray(1))
    const service = reader.text('service name')
    reader.end('SERVICE_REQUEST')
    // A name that is refused stands in the answer and in the log.
    if (service.length > longestNameBytes) throw new MalformedBlob('service name is too long')
    return service
  })
