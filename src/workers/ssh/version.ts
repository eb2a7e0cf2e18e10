/** The client's identification line, RFC 4253 section 4.2. */
import { disconnectReason, ProtocolError } from './protocol-error.ts'

const maxBytes = 255
const start = Buffer.from('SSH-')
const nothing = Buffer.alloc(0)
const lf = 0x0a
const cr = 0x0d
/** A whole line as nearly all clients send it; what is wrong with any other is found out step by step. */
const usual = /^SSH-(2\.0|1\.99)-[!-~][ -~]*$/

/** Collects one line from pieces; clients may not send anything before it. */
export class VersionLine {
  #bytes: Buffer = nothing

  /**
   * Takes bytes from the connection. Returns the line without CR LF and how many of these bytes belonged to it, or
   * undefined when more are needed. Throws a ProtocolError as soon as it cannot become a line of SSH 2.
   */
  take(chunk: Buffer): { readonly line: string; readonly used: number } | undefined {
    const end = chunk.indexOf(lf)
    if (this.#bytes.length === 0 && end > 0 && end < maxBytes) {
      const line = chunk.toString('latin1', 0, chunk[end - 1] === cr ? end - 1 : end)
      if (usual.test(line)) return { line, used: end + 1 }
    }
    const piece = chunk.subarray(0, end < 0 ? maxBytes + 1 : Math.min(end + 1, maxBytes + 1))
    this.#bytes = Buffer.concat([this.#bytes, piece])
    const head = this.#bytes.subarray(0, start.length)
    if (!head.equals(start.subarray(0, head.length))) throw refused(guess(this.#bytes))
    if (this.#bytes.length > maxBytes) throw refused(`identification line is longer than ${maxBytes} bytes`)
    if (end < 0) return undefined
    return { line: check(this.#bytes), used: end + 1 }
  }
}

function check(bytes: Buffer): string {
  const length = bytes.length - (bytes.at(-2) === cr ? 2 : 1)
  const line = bytes.toString('latin1', 0, length)
  if (!/^[ -~]+$/.test(line)) throw refused('identification line contains characters that are not printable ASCII')
  if (!/^SSH-(2\.0|1\.99)-/.test(line)) throw refused(`client speaks another version of SSH: ${JSON.stringify(line)}`)
  if (!/^SSH-[0-9.]+-[^ ]/.test(line))
    throw refused(`identification line has no software version: ${JSON.stringify(line)}`)
  return line
}

function guess(bytes: Buffer): string {
  const text = bytes.toString('latin1')
  if (/^(GET|HEAD|POST|PUT|OPTIONS|CONNECT|PRI) /.test(text)) return 'client speaks HTTP, not SSH'
  if (bytes[0] === 0x16 && (bytes.length < 2 || bytes[1] === 0x03)) return 'client speaks TLS, not SSH'
  return `client does not speak SSH; it began with ${JSON.stringify(text.slice(0, 40))}`
}

function refused(text: string): ProtocolError {
  return new ProtocolError(text, disconnectReason.protocolVersionNotSupported)
}
