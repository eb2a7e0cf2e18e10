/** Where a CBOR item (RFC 8949) ends, found in bytes that come bit by bit: each byte is looked at once. */

export const majors = { unsigned: 0, negative: 1, bytes: 2, text: 3, array: 4, map: 5, tag: 6, simple: 7 } as const
/** Of the additional information (RFC 8949 section 3): no length; ends with a break. */
export const indefinite = 31
export const breakByte = 0xff
/** As deep as other readers of the format follow. */
const deepest = 32
const endless = -1

export class NotCborError extends Error {}
export class TooLargeError extends Error {}

interface Level {
  readonly major: number
  /** Items still to come, or `endless`. */
  left: number
  /** Of an endless map: a key has come, its value has not. */
  odd: boolean
}

export interface ItemScanner {
  /**
   * The number of bytes of the item at `from`, or undefined if it goes on after `bytes`. Must be called with the same item
   * until it is known: what was scanned before is not looked at again.
   * @throws NotCborError, TooLargeError
   */
  scan(bytes: Uint8Array, from: number): number | undefined
}

export function createItemScanner(mostBytes: number): ItemScanner {
  /** Relative to the item's first byte. */
  let at = 0
  let levels: Level[] = []

  const begin = (major: number, left: number): void => {
    if (levels.length === deepest) throw new NotCborError(`more than ${deepest} levels`)
    levels.push({ major, left, odd: false })
  }
  /** One item of the innermost level has begun. */
  const count = (major: number, isDefinite: boolean): void => {
    const level = levels.at(-1)
    if (level === undefined) return
    if (level.left > 0) level.left--
    else level.odd = !level.odd
    const isString = level.major === majors.bytes || level.major === majors.text
    if (isString && (major !== level.major || !isDefinite)) throw new NotCborError('a string in parts of another type')
  }
  const endLevel = (): void => {
    const level = levels.pop()
    if (level === undefined || level.left !== endless) throw new NotCborError('a break outside of an endless item')
    if (level.major === majors.map && level.odd) throw new NotCborError('a key without a value')
  }
  const contents = (major: number, argument: number): void => {
    if (major === majors.bytes || major === majors.text) at += argument
    else if (major === majors.array) begin(major, argument)
    else if (major === majors.map) begin(major, argument * 2)
    else if (major === majors.tag) begin(major, 1)
    if (at > mostBytes || (major >= majors.array && major <= majors.map && argument > mostBytes)) {
      throw new TooLargeError(`more than ${mostBytes} bytes`)
    }
  }
  /** False: its head is not whole yet. */
  const head = (bytes: Uint8Array, from: number): boolean => {
    const initial = bytes[from + at]
    if (initial === undefined) return false
    const [major, info] = [initial >> 5, initial & 0x1f]
    if (initial === breakByte) {
      at++
      endLevel()
      return true
    }
    if (info === indefinite) {
      if (major < majors.bytes || major > majors.map) throw new NotCborError(`the byte ${hex(initial)}`)
      count(major, false)
      at++
      begin(major, endless)
      return true
    }
    if (info > 27) throw new NotCborError(`the byte ${hex(initial)}`)
    const width = info < 24 ? 0 : 1 << (info - 24)
    if (from + at + 1 + width > bytes.length) return false
    count(major, true)
    const argument = info < 24 ? info : unsignedAt(bytes, from + at + 1, width)
    at += 1 + width
    if (at > mostBytes) throw new TooLargeError(`more than ${mostBytes} bytes`)
    contents(major, argument)
    return true
  }
  return {
    scan(bytes, from) {
      if (at === 0) levels = []
      for (let begun = at > 0; ; begun = true) {
        while (levels.at(-1)?.left === 0) levels.pop()
        if (begun && levels.length === 0) {
          if (from + at > bytes.length) return undefined
          const length = at
          at = 0
          return length
        }
        if (!head(bytes, from)) return undefined
      }
    },
  }
}

export const hex = (byte: number): string => `0x${byte.toString(16).padStart(2, '0')}`

/** Big endian, `width` bytes; above 2^53 not exact. */
export function unsignedAt(bytes: Uint8Array, at: number, width: number): number {
  let value = 0
  for (let index = 0; index < width; index++) value = value * 256 + (bytes[at + index] ?? 0)
  return value
}
