/** Text of bytes that are cut anywhere, also inside of a character. */
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
const nothing = new Uint8Array(0)

export interface TextStream {
  add(data: Uint8Array): string
  /** What is left of a character that never came whole. */
  end(): string
  /** Bytes of a character that is not whole yet, at most 3, in memory of their own. */
  readonly rest: Uint8Array
}

/** `rest`: where another one of the same bytes has stopped. */
export function createTextStream(rest: Uint8Array = nothing): TextStream {
  let kept = rest
  return {
    add(data) {
      const bytes = kept.length === 0 ? data : Buffer.concat([kept, data])
      const end = bytes.length - partBytes(bytes)
      kept = end === bytes.length ? nothing : bytes.slice(end)
      return decoder.decode(bytes.subarray(0, end))
    },
    end() {
      const text = decoder.decode(kept)
      kept = nothing
      return text
    },
    get rest() {
      return kept
    },
  }
}

/** How many bytes at the end begin a character (RFC 3629 section 3) and are too few for it. */
function partBytes(bytes: Uint8Array): number {
  for (let count = 1; count <= 3 && count <= bytes.length; count++) {
    const byte = bytes[bytes.length - count] ?? 0
    if (byte < 0x80) return 0
    if (byte < 0xc0) continue // inside of a character
    const needed = byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4
    return needed > count ? count : 0
  }
  return 0
}
