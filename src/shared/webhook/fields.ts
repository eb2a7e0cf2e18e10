/**
 * What a webhook answers, from `unknown` to typed, as strictly as the Go program: names of properties in any case, null
 * is absence, an unknown property or another type is an error. Errors name the place, never the value.
 */
import { show } from '../config/problems.ts'

/** Gives the typed value. @throws Error that names the place */
export type Reader<T> = (value: unknown, place: string) => T

const wrong = (place: string, expected: string): Error => new Error(`${place === '' ? 'it' : place} is not ${expected}`)

export const text: Reader<string> = (value, place) => {
  if (typeof value !== 'string') throw wrong(place, 'a text')
  return value
}
/** A text of at most so many UTF-16 units. */
export const textUpTo =
  (most: number): Reader<string> =>
  (value, place) => {
    const found = text(value, place)
    if (found.length > most) throw new Error(`${place} has more than ${most} characters`)
    return found
  }
export const anything: Reader<unknown> = (value) => value
export const flag: Reader<boolean> = (value, place) => {
  if (typeof value !== 'boolean') throw wrong(place, 'true or false')
  return value
}
export const listOf =
  <T>(item: Reader<T>, most: number): Reader<readonly T[]> =>
  (value, place) => {
    if (!Array.isArray(value)) throw wrong(place, 'a list')
    if (value.length > most) throw new Error(`${place} has more than ${most} entries`)
    return value.map((one, index) => item(one, `${place}[${index}]`))
  }

const entriesOf = (value: unknown, place: string): [string, unknown][] => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong(place, 'an object')
  return Object.entries(value)
}

type Found<S> = { readonly [K in keyof S]?: S[K] extends Reader<infer T> ? T : never }

/** An object with these properties, each of which may be absent. */
export function objectOf<S extends Readonly<Record<string, Reader<unknown>>>>(shape: S): Reader<Found<S>> {
  const known = new Map(Object.entries(shape).map(([key, read]) => [key.toLowerCase(), { key, read }]))
  return (value, place) => {
    const found: Record<string, unknown> = {}
    for (const [written, entry] of value === null ? [] : entriesOf(value, place)) {
      const field = known.get(written.toLowerCase())
      const inside = place === '' ? written : `${place}.${written}`
      if (field === undefined) throw new Error(`${show(inside)} is not a known property`)
      if (entry !== null) found[field.key] = field.read(entry, inside)
    }
    return found as Found<S> // each property was read by the reader of its name
  }
}

/** For readers that are not strict: the object with these properties only, and the names of the others. */
export function knownProperties(value: unknown, names: readonly string[]) {
  const known = new Set(names.map((name) => name.toLowerCase()))
  const entries = entriesOf(value, '')
  return {
    known: Object.fromEntries(entries.filter(([name]) => known.has(name.toLowerCase()))),
    unknown: entries.map(([name]) => name).filter((name) => !known.has(name.toLowerCase())),
  }
}

interface Datum<V> {
  readonly value: V
  readonly sensitive: boolean
}

interface MapRules<V> {
  readonly value: Reader<V>
  readonly absent: V
  isName(name: string): boolean
  /** What a name has to be. */
  readonly nameOf: string
  readonly mostEntries: number
  /** Of names and values together; UTF-16 units for texts. */
  readonly mostBytes: number
}

/** Name to `{value, sensitive}`. */
function mapOf<V extends { readonly length: number }>(rules: MapRules<V>): Reader<ReadonlyMap<string, Datum<V>>> {
  const { mostEntries, mostBytes } = rules
  const datum = objectOf({ value: rules.value, sensitive: flag })
  return (given, place) => {
    const found = new Map<string, Datum<V>>()
    let size = 0
    for (const [name, entry] of entriesOf(given, place)) {
      const inside = `${place}[${show(name)}]`
      if (!rules.isName(name)) throw wrong(inside, rules.nameOf)
      const { value = rules.absent, sensitive = false } = datum(entry, inside) as Partial<Datum<V>> // as the shape above says
      found.set(name, { value, sensitive })
      size += name.length + value.length
      if (found.size > mostEntries) throw new Error(`${place} has more than ${mostEntries} entries`)
      if (size > mostBytes) throw new Error(`${place} has more than ${mostBytes} bytes`)
    }
    return found
  }
}

/** Base64, or a list of numbers: documentation and program of the Go version differ. */
function bytes(value: unknown, place: string): Uint8Array {
  if (Array.isArray(value)) {
    if (value.every((byte) => Number.isInteger(byte) && byte >= 0 && byte <= 255)) return Uint8Array.from(value)
    throw wrong(place, 'a list of bytes')
  }
  const decoded = Buffer.from(text(value, place), 'base64')
  const digits = text(value, place).replace(/[\r\n]/g, '')
  // Node skips what is no base64, and a file with holes is worse than an error.
  if (digits.length % 4 !== 0 || decoded.toString('base64') !== digits) throw wrong(place, 'base64')
  return decoded
}

/** What fits into a variable of the environment (execve(2): MAX_ARG_STRLEN) and has no NUL in it. */
const variable: Reader<string> = (value, place) => {
  const found = textUpTo(131_000)(value, place)
  if (found.includes('\0')) throw wrong(place, 'a text without NUL')
  return found
}
const isVariable = (name: string): boolean => name !== '' && name.length <= 255 && !/[=\0]/.test(name)
/** PATH_MAX. */
const longestPath = 4095

export const metadata = mapOf({
  value: text,
  absent: '',
  isName: () => true,
  nameOf: 'a name',
  mostEntries: 1000,
  mostBytes: 2 ** 20,
})
export const environment = mapOf({
  value: variable,
  absent: '',
  isName: isVariable,
  nameOf: 'the name of a variable',
  mostEntries: 1000,
  mostBytes: 2 ** 20,
})
export const files = mapOf<Uint8Array>({
  value: bytes,
  absent: new Uint8Array(0),
  isName: (name) => name.startsWith('/') && name.length <= longestPath && !name.includes('\0'),
  nameOf: 'an absolute path',
  mostEntries: 256,
  mostBytes: 8 * 2 ** 20,
})
