/** Bech32 (BIP 173), in which age writes its keys: a prefix, `1`, and bytes in groups of 5 bits with a checksum. Any length. */
const alphabet = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l'
const generator = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3]
const checksumGroups = 6

export interface Bech32 {
  /** Lower case. */
  readonly prefix: string
  readonly bytes: Buffer
}

/** Lower case. */
export function toBech32(prefix: string, bytes: Uint8Array): string {
  const groups = regrouped(bytes, 8, 5, true) ?? []
  const sum = polymod([...expanded(prefix), ...groups, ...new Array<number>(checksumGroups).fill(0)]) ^ 1
  const checksum = Array.from(
    { length: checksumGroups },
    (_, index) => (sum >> (5 * (checksumGroups - 1 - index))) & 31,
  )
  return `${prefix}1${[...groups, ...checksum].map((group) => alphabet[group]).join('')}`
}

/** Undefined: it is none, mixes cases, or its checksum is wrong. */
export function fromBech32(text: string): Bech32 | undefined {
  const lower = text.toLowerCase()
  if (text !== lower && text !== text.toUpperCase()) return undefined
  const at = lower.lastIndexOf('1')
  if (at < 1 || lower.length - at - 1 < checksumGroups) return undefined
  const prefix = lower.slice(0, at)
  const groups = [...lower.slice(at + 1)].map((character) => alphabet.indexOf(character))
  if (groups.includes(-1) || polymod([...expanded(prefix), ...groups]) !== 1) return undefined
  const bytes = regrouped(groups.slice(0, -checksumGroups), 5, 8, false)
  return bytes === undefined ? undefined : { prefix, bytes: Buffer.from(bytes) }
}

const expanded = (prefix: string): number[] => {
  const codes = [...prefix].map((character) => character.charCodeAt(0))
  return [...codes.map((code) => code >> 5), 0, ...codes.map((code) => code & 31)]
}

function polymod(values: readonly number[]): number {
  let sum = 1
  for (const value of values) {
    const top = sum >>> 25
    sum = ((sum & 0x1ffffff) << 5) ^ value
    generator.forEach((term, bit) => {
      if (((top >> bit) & 1) === 1) sum ^= term
    })
  }
  return sum
}

/** Undefined: bits that are left over are not the zeroes that fill up the last group. */
function regrouped(from: Iterable<number>, width: number, wanted: number, fills: boolean): number[] | undefined {
  const groups: number[] = []
  const most = (1 << wanted) - 1
  let [held, bits] = [0, 0]
  for (const group of from) {
    held = ((held << width) | group) & 0xfff
    bits += width
    while (bits >= wanted) {
      bits -= wanted
      groups.push((held >> bits) & most)
    }
  }
  const rest = (held << (wanted - bits)) & most
  if (fills && bits > 0) groups.push(rest)
  return !fills && (bits >= width || rest !== 0) ? undefined : groups
}
