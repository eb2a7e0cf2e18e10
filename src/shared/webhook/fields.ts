/**
 * Documents of webhooks, from `unknown` to typed, as the Go program reads them: names of properties in any case, null is
 * absence, another type is an error. Errors name the place, never the value. Every reader can say as a JSON Schema what
 * it accepts, so that what is documented is what is done.
 */
import { show } from '../config/problems.ts'

/** Draft 2020-12, which OpenAPI 3.1 uses. */
export type JsonSchema = { readonly [keyword: string]: unknown }

export interface Reader<T> {
  /** Gives the typed value. @throws Error that names the place */
  (value: unknown, place: string): T
  readonly schema: JsonSchema
}
export const readerOf = <T>(schema: JsonSchema, read: (value: unknown, place: string) => T): Reader<T> =>
  Object.assign(read, { schema })

const wrong = (place: string, expected: string): Error => new Error(`${place === '' ? 'it' : place} is not ${expected}`)

const textOf = (value: unknown, place: string): string => {
  if (typeof value !== 'string') throw wrong(place, 'a text')
  return value
}
export const text: Reader<string> = readerOf({ type: 'string' }, textOf)
/** A text of at most so many UTF-16 units. */
export const textUpTo = (most: number): Reader<string> =>
  readerOf({ type: 'string', maxLength: most }, (value, place) => {
    const found = textOf(value, place)
    if (found.length > most) throw new Error(`${place} has more than ${most} characters`)
    return found
  })
export const anything: Reader<unknown> = readerOf({}, (value) => value)
export const flag: Reader<boolean> = readerOf({ type: 'boolean' }, (value, place) => {
  if (typeof value !== 'boolean') throw wrong(place, 'true or false')
  return value
})
export const listOf = <T>(item: Reader<T>, most: number): Reader<readonly T[]> =>
  readerOf({ type: 'array', items: item.schema, maxItems: most }, (value, place) => {
    if (!Array.isArray(value)) throw wrong(place, 'a list')
    if (value.length > most) throw new Error(`${place} has more than ${most} entries`)
    return value.map((one, index) => item(one, `${place}[${index}]`))
  })

const entriesOf = (value: unknown, place: string): [string, unknown][] => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong(place, 'an object')
  return Object.entries(value)
}
/** An object whose inside somebody else looks at. */
export const mapping: Reader<object> = readerOf({ type: 'object' }, (value, place) =>
  Object.fromEntries(entriesOf(value, place)),
)

const nullable = (schema: JsonSchema): JsonSchema =>
  typeof schema['type'] === 'string' && schema['type'] !== 'object'
    ? { ...schema, type: [schema['type'], 'null'] }
    : { anyOf: [schema, { type: 'null' }] }

type Shape = Readonly<Record<string, Reader<unknown>>>
type Found<S> = { readonly [K in keyof S]?: S[K] extends Reader<infer T> ? T : never }

interface ObjectRules<S> {
  /** Properties that are not known are passed over; otherwise they are errors. */
  readonly open?: boolean
  /** Of each list one property has to be there. */
  readonly needs?: readonly (readonly (keyof S & string)[])[]
}

/** An object with these properties, each of which may be absent unless the rules say otherwise. */
export function objectOf<S extends Shape>(shape: S, rules: ObjectRules<S> = {}): Reader<Found<S>> {
  const { open = false, needs = [] } = rules
  const known = new Map(Object.entries(shape).map(([key, read]) => [key.toLowerCase(), { key, read }]))
  return readerOf(objectSchema(shape, rules), (value, place) => {
    const found: Record<string, unknown> = {}
    for (const [written, entry] of value === null ? [] : entriesOf(value, place)) {
      const field = known.get(written.toLowerCase())
      const inside = place === '' ? written : `${place}.${written}`
      if (field === undefined && !open) throw new Error(`${show(inside)} is not a known property`)
      if (field !== undefined && entry !== null) found[field.key] = field.read(entry, inside)
    }
    for (const names of needs) {
      if (names.every((name) => found[name] === undefined)) throw new Error(`${names.join(' or ')} is missing`)
    }
    return found as Found<S> // each property was read by the reader of its name
  })
}

function objectSchema<S extends Shape>(shape: S, { open = false, needs = [] }: ObjectRules<S>): JsonSchema {
  const sole = new Set<string>(needs.filter((names) => names.length === 1).flat())
  const properties = Object.fromEntries(
    Object.entries(shape).map(([name, { schema }]) => [name, sole.has(name) ? schema : nullable(schema)]),
  )
  const present = (name: string) => ({ required: [name], properties: { [name]: shape[name]?.schema ?? {} } })
  const choices = needs.filter((names) => names.length > 1).map((names) => ({ anyOf: names.map(present) }))
  return {
    type: 'object',
    properties,
    ...(sole.size > 0 && { required: [...sole] }),
    ...(choices.length > 0 && { allOf: choices }),
    ...(!open && { additionalProperties: false }),
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
  /** What every name has to match, and what that is called. */
  readonly name?: { readonly pattern: string; readonly most: number; readonly called: string }
  readonly mostEntries: number
  /** Of names and values together; UTF-16 units for texts. */
  readonly mostBytes: number
}

/** Name to `{value, sensitive}`. */
function mapOf<V extends { readonly length: number }>(rules: MapRules<V>): Reader<ReadonlyMap<string, Datum<V>>> {
  const { name: rule, mostEntries, mostBytes } = rules
  const datum = objectOf({ value: rules.value, sensitive: flag })
  const schema = {
    type: 'object',
    additionalProperties: nullable(datum.schema),
    // In words: generators of test data would otherwise be busy with documents of many megabytes.
    description: `At most ${mostEntries} entries, and ${mostBytes >> 20} MiB.`,
    ...(rule !== undefined && { propertyNames: { pattern: rule.pattern } }),
  }
  const isName = new RegExp(rule?.pattern ?? '', 'u')
  return readerOf(schema, (given, place) => {
    const found = new Map<string, Datum<V>>()
    let size = 0
    for (const [name, entry] of entriesOf(given, place)) {
      const inside = `${place}[${show(name)}]`
      if (rule !== undefined && (name.length > rule.most || !isName.test(name))) throw wrong(inside, rule.called)
      const { value = rules.absent, sensitive = false } = datum(entry, inside) as Partial<Datum<V>> // as the shape above says
      found.set(name, { value, sensitive })
      size += name.length + value.length
      if (found.size > mostEntries) throw new Error(`${place} has more than ${mostEntries} entries`)
      if (size > mostBytes) throw new Error(`${place} has more than ${mostBytes} bytes`)
    }
    return found
  })
}

/** Whole groups of four digits; the unused bits of the last one are zero. Line breaks may stand anywhere. */
const base64Pattern = ((): string => {
  const digits = (set: string) => `[${set}][\\r\\n]*`
  const any = digits('A-Za-z0-9+/')
  const pad = '=[\\r\\n]*'
  const tails = [`${any}${digits('AQgw')}${pad}${pad}`, `${any}${any}${digits('AEIMQUYcgkosw048')}${pad}`]
  return `^[\\r\\n]*(?:${any.repeat(4)})*(?:${tails.join('|')})?$`
})()
const base64Schema = { type: 'string', contentEncoding: 'base64', pattern: base64Pattern }
export const base64: Reader<Buffer> = readerOf(base64Schema, (value, place) => {
  const written = textOf(value, place)
  const digits = written.replace(/[\r\n]/g, '')
  const decoded = Buffer.from(digits, 'base64')
  // Node skips what is no base64, and a file with holes is worse than an error.
  if (digits.length % 4 !== 0 || decoded.toString('base64') !== digits) throw wrong(place, 'base64')
  return decoded
})

/** Base64, or a list of numbers: documentation and program of the Go version differ. */
const byte = { type: 'integer', minimum: 0, maximum: 255 }
const bytes = readerOf({ anyOf: [base64Schema, { type: 'array', items: byte }] }, (value, place): Uint8Array => {
  if (!Array.isArray(value)) return base64(value, place)
  if (value.every((one) => Number.isInteger(one) && one >= 0 && one <= 255)) return Uint8Array.from(value)
  throw wrong(place, 'a list of bytes')
})

/** What fits into a variable of the environment (execve(2): MAX_ARG_STRLEN) and has no NUL in it. */
const fitting = textUpTo(131_000)
const variable: Reader<string> = readerOf({ type: 'string', pattern: '^[^\\u0000]*$' }, (value, place) => {
  const found = fitting(value, place)
  if (found.includes('\0')) throw wrong(place, 'a text without NUL')
  return found
})

export const metadata = mapOf({ value: text, absent: '', mostEntries: 1000, mostBytes: 2 ** 20 })
export const environment = mapOf({
  value: variable,
  absent: '',
  name: { pattern: '^[^=\\u0000]+$', most: 255, called: 'the name of a variable' },
  mostEntries: 1000,
  mostBytes: 2 ** 20,
})
/** PATH_MAX bounds the names. */
export const files = mapOf<Uint8Array>({
  value: bytes,
  absent: new Uint8Array(0),
  name: { pattern: '^/[^\\u0000]*$', most: 4095, called: 'an absolute path' },
  mostEntries: 256,
  mostBytes: 8 * 2 ** 20,
})
