/**
 * The header with which a proxy tells who its client is: PROXY protocol, versions 1 and 2 (HAProxy, proxy-protocol.txt).
 * Section numbers are of that document. The header is a claim: only what comes from a trusted proxy is given to this file.
 */
import { isIPv4, isIPv6 } from 'node:net'
import { canonicalAddress } from '../../shared/address.ts'
import type { Remote } from '../../shared/ipc/handle.ts'

/** Section 2.1: the longest line, CR LF included. */
const maxLineBytes = 107
const lineStart = Buffer.from('PROXY ')
/** Section 2.2. */
const signature = Buffer.from('0d0a0d0a000d0a515549540a', 'hex')
const fixedBytes = 16
/** Of addresses and TLVs: no proxy sends more than a certificate's name and a few numbers. */
const maxBlockBytes = 4096
const lf = 0x0a
const cr = 0x0d

export type HeaderResult =
  /** `source` is undefined where the header leaves the address of the TCP connection in force. */
  | { readonly kind: 'header'; readonly source: Remote | undefined; readonly rest: Buffer }
  /** The bytes are not the beginning of a header. */
  | { readonly kind: 'absent'; readonly rest: Buffer }

/** The bytes begin like a header, and are none. */
export class HeaderError extends Error {
  override readonly name = 'HeaderError'
}

export class ProxyHeader {
  #bytes: Buffer = Buffer.alloc(0)

  /** Nothing has come yet. */
  get untouched(): boolean {
    return this.#bytes.length === 0
  }

  /**
   * Takes bytes from the connection; they are copied. Undefined when more are needed. `rest` is what followed the header.
   * @throws HeaderError as soon as it cannot become one.
   */
  take(chunk: Uint8Array): HeaderResult | undefined {
    const bytes = Buffer.concat([this.#bytes, chunk])
    this.#bytes = bytes
    if (begins(bytes, lineStart)) return readLine(bytes)
    if (begins(bytes, signature)) return readBlock(bytes)
    return { kind: 'absent', rest: bytes }
  }
}

/** As far as there are bytes. */
function begins(bytes: Buffer, start: Buffer): boolean {
  const length = Math.min(bytes.length, start.length)
  return bytes.subarray(0, length).equals(start.subarray(0, length))
}

function readLine(bytes: Buffer): HeaderResult | undefined {
  const end = bytes.subarray(0, maxLineBytes).indexOf(lf)
  if (end < 0) {
    if (bytes.length >= maxLineBytes) throw new HeaderError(`the line is longer than ${maxLineBytes} bytes`)
    return undefined
  }
  if (bytes[end - 1] !== cr) throw new HeaderError('the line does not end with CR LF')
  const line = bytes.toString('latin1', 0, end - 1)
  const rest = bytes.subarray(end + 1)
  if (/^PROXY UNKNOWN( |$)/.test(line)) return { kind: 'header', source: undefined, rest }
  return { kind: 'header', source: sourceOfLine(line), rest }
}

function sourceOfLine(line: string): Remote {
  const [, family, from = '', to = '', fromPort = '', toPort = ''] =
    /^PROXY (TCP4|TCP6) ([0-9A-Fa-f:.]+) ([0-9A-Fa-f:.]+) (\d+) (\d+)$/.exec(line) ?? []
  if (family === undefined) throw new HeaderError(`the line has another form: ${JSON.stringify(line)}`)
  const isAddress = family === 'TCP4' ? isIPv4 : isIPv6
  const address = isAddress(from) && isAddress(to) ? canonicalAddress(from) : undefined
  if (address === undefined) throw new HeaderError(`the line has a wrong address: ${JSON.stringify(line)}`)
  if (!isPort(fromPort) || !isPort(toPort)) throw new HeaderError(`the line has a wrong port: ${JSON.stringify(line)}`)
  return { address, port: Number(fromPort) }
}

const isPort = (text: string): boolean => /^(0|[1-9]\d{0,4})$/.test(text) && Number(text) <= 65_535

function readBlock(bytes: Buffer): HeaderResult | undefined {
  if (bytes.length < fixedBytes) return undefined
  const versionAndCommand = bytes.readUInt8(12)
  const familyAndProtocol = bytes.readUInt8(13)
  const length = bytes.readUInt16BE(14)
  const command = versionAndCommand & 0x0f
  if (versionAndCommand >> 4 !== 2) throw new HeaderError(`version ${versionAndCommand >> 4} is not known`)
  if (command > 1) throw new HeaderError(`command ${command} is not known`)
  if (length > maxBlockBytes) throw new HeaderError(`${length} bytes of addresses are more than ${maxBlockBytes}`)
  // Before the block has come: a wrong header is to be noticed at once.
  const family = command === 0 ? undefined : familyOf(familyAndProtocol, length)
  if (bytes.length < fixedBytes + length) return undefined
  const block = bytes.subarray(fixedBytes, fixedBytes + length)
  return { kind: 'header', source: family?.(block), rest: bytes.subarray(fixedBytes + length) }
}

type ReadSource = (block: Buffer) => Remote
const readIPv4: ReadSource = (block) => ({
  address: [...block.subarray(0, 4)].join('.'),
  port: block.readUInt16BE(8),
})
const readIPv6: ReadSource = (block) => {
  const groups = Array.from({ length: 8 }, (_, index) => block.readUInt16BE(index * 2).toString(16))
  const address = canonicalAddress(groups.join(':'))
  if (address === undefined) throw new Error('eight groups are an address')
  return { address, port: block.readUInt16BE(32) }
}

/** By the higher half of byte 14: bytes of both addresses and ports. */
const families: readonly { readonly name: string; readonly bytes: number; readonly read?: ReadSource }[] = [
  { name: 'UNSPEC', bytes: 0 },
  { name: 'INET', bytes: 12, read: readIPv4 },
  { name: 'INET6', bytes: 36, read: readIPv6 },
  { name: 'UNIX', bytes: 216 },
]
const stream = 1
const datagram = 2

/** What is valid and not TCP is taken for UNSPEC, as section 2.2 wants it. */
function familyOf(familyAndProtocol: number, length: number): ReadSource | undefined {
  const family = families[familyAndProtocol >> 4]
  const protocol = familyAndProtocol & 0x0f
  if (family === undefined) throw new HeaderError(`address family ${familyAndProtocol >> 4} is not known`)
  if (protocol > datagram) throw new HeaderError(`transport protocol ${protocol} is not known`)
  if (length < family.bytes) throw new HeaderError(`${length} bytes are too few for addresses of family ${family.name}`)
  return protocol === stream ? family.read : undefined
}
