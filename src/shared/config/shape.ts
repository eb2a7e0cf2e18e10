/**
 * Reads a tree by the schema: which key means which, what an unquoted `0123` is where a text is wanted, durations to
 * milliseconds. What it cannot read it leaves as it stands, and zod refuses it. `null` is "not set" everywhere.
 */
import type * as z from 'zod'
import { parseDuration } from './duration.ts'
import { type Kind, kinds, type Traits, traits } from './fields.ts'
import { overPreset } from './pod-presets.ts'
import { podValue } from './pod-value.ts'
import { nearest, type Problem } from './problems.ts'
import { below, belowEntry, pathKey, type Spot } from './spot.ts'
import { type Entry, type Mapping, type Node, plainValue, type Scalar } from './tree.ts'

export { pathKey } from './spot.ts'

export interface Reading {
  /** YAML keys are exact; JSON's are not, because the Go program's were not. */
  readonly anyCase: boolean
  /** YAML converts unquoted scalars to the type that is wanted. */
  readonly converts: boolean
  readonly problems: Problem[]
  readonly warnings: Problem[]
  /** Path by the schema's names (`pathKey`) to where it stands and how it is spelled there. */
  readonly places: Map<string, { readonly at: number; readonly path: string }>
  /** Not an answer, which goes over the configuration of a file. */
  readonly isFile?: boolean
  /** Unknown keys with such values are skipped in silence. */
  readonly tolerates?: (value: Node) => boolean
  /** `null` is kept, for whoever tells it from absence. */
  readonly keepsNull?: boolean
}
/** The schema without defaults and optionality, and the first note met on the way. */
export const core = (schema: z.ZodType): { readonly schema: z.ZodType; readonly kind: Kind | undefined } => {
  let at = schema
  let kind = kinds.get(at)
  for (;;) {
    const { innerType } = at.def as { innerType?: z.ZodType }
    if (innerType === undefined) return { schema: at, kind }
    at = innerType
    kind ??= kinds.get(at)
  }
}

const scalarValue = (node: Scalar, kind: Kind | undefined, converts: boolean): unknown => {
  const { value, plain } = node
  switch (kind?.form) {
    case 'text':
      return converts && plain !== undefined && value !== null ? plain : value
    case 'flag':
      if (converts && plain !== undefined && /^(yes|on)$/i.test(plain)) return true
      return converts && plain !== undefined && /^(no|off)$/i.test(plain) ? false : value
    case 'duration':
      if (typeof value === 'number' && Number.isInteger(value)) return value / 1e6
      return typeof value === 'string' ? (parseDuration(value) ?? value) : String(value)
    case 'nanoseconds': {
      const ms = typeof value === 'string' ? parseDuration(value) : undefined
      return ms === undefined ? value : Math.round(ms * 1e6)
    }
    case 'colonList':
      return typeof value === 'string' ? value.split(':') : value
    default:
      return value
  }
}

/** True for what old programs write for "not set" where it is no legal value. */
const isUnset = (node: Node, kind: Kind | undefined): boolean => {
  if (node.kind !== 'scalar') return false
  if (node.value === null) return true
  if (kind?.emptyMeansDefault !== true) return false
  return kind.form === 'duration' ? scalarValue(node, kind, false) === 0 : node.value === ''
}

const isNull = (node: Node): boolean => node.kind === 'scalar' && node.value === null

interface KnownKey {
  readonly key: string
  readonly schema: z.ZodType
}
const finder = (shape: Readonly<Record<string, z.ZodType>>, trait: Traits, anyCase: boolean) => {
  const fold = (text: string) => (anyCase || trait.anyCase ? text.toLowerCase() : text)
  const known = new Map<string, KnownKey>()
  for (const [key, schema] of Object.entries(shape)) known.set(fold(key), { key, schema })
  for (const [alias, key] of Object.entries(trait.aliases ?? {})) {
    const schema = shape[key]
    if (schema !== undefined) known.set(fold(alias), { key, schema })
  }
  return (written: string): KnownKey | undefined => known.get(fold(written))
}

/** No honest file has more wrong keys; searching for what each one was meant to be takes time. */
const mostHints = 100

const unknownKey = (entry: Entry, spot: Spot, known: readonly string[], trait: Traits, reading: Reading): void => {
  const meant = reading.problems.length < mostHints ? nearest(entry.key, known) : undefined
  const hint = meant === undefined ? '' : `; did you mean ${meant}?`
  const { spelled } = belowEntry(spot, entry.key, entry)
  if (trait.unknownKeys === 'warn') {
    const message = `is not a key of the Docker API that we know${hint === '' ? ', passed on as written' : hint}`
    reading.warnings.push({ at: entry.at, path: spelled, message })
  } else reading.problems.push({ at: entry.at, path: spelled, message: `is not a known option${hint}` })
}

const objectValue = (node: Mapping, schema: z.ZodObject, spot: Spot, reading: Reading): unknown => {
  const trait = traits.get(schema) ?? {}
  const shape = schema.shape as Readonly<Record<string, z.ZodType>>
  const find = finder(shape, trait, reading.anyCase)
  const found = new Map<string, unknown>()
  const seen = new Set<string>()
  const read = (entries: readonly Entry[], spot: Spot): void => {
    for (const entry of entries) {
      const { inline } = trait
      if (inline !== undefined && entry.key.toLowerCase() === inline && entry.value.kind === 'map') {
        read(entry.value.entries, { path: spot.path, spelled: below(spot, entry.key).spelled })
        continue
      }
      const known = find(entry.key)
      if (known === undefined) {
        if (reading.tolerates?.(entry.value)) continue
        unknownKey(entry, spot, Object.keys(shape), trait, reading)
        if (trait.unknownKeys === 'warn') found.set(entry.key, plainValue(entry.value))
        continue
      }
      const child = belowEntry(spot, known.key, entry)
      if (seen.has(known.key)) {
        reading.problems.push({ at: entry.at, path: child.spelled, message: 'stands here a second time' })
      }
      seen.add(known.key)
      if (isUnset(entry.value, core(known.schema).kind)) {
        if (reading.keepsNull && isNull(entry.value)) found.set(known.key, null)
        continue
      }
      found.set(known.key, shapeValue(entry.value, known.schema, child, reading))
    }
  }
  read(node.entries, spot)
  return Object.fromEntries(found)
}

const shapeValue = (node: Node, declared: z.ZodType, spot: Spot, reading: Reading): unknown => {
  reading.places.set(pathKey(spot.path), { at: node.at, path: spot.spelled })
  const { schema, kind } = core(declared)
  if (kind?.object !== undefined) {
    const value = podValue(node, kind.object, spot, reading)
    return reading.isFile ? overPreset(kind.object, value) : value
  }
  const def = schema.def as { type: string; element?: z.ZodType; valueType?: z.ZodType; options?: z.ZodType[] }
  if (node.kind === 'scalar') return scalarValue(node, kind, reading.converts)
  if (node.kind === 'list') {
    const { element } = def
    if (element === undefined) return plainValue(node)
    return node.items.map((item, index) => shapeValue(item, element, below(spot, index), reading))
  }
  const object = def.type === 'union' ? def.options?.find((option) => option.def.type === 'object') : schema
  if (object?.def.type === 'object') return objectValue(node, object as z.ZodObject, spot, reading)
  const { valueType } = def
  if (valueType === undefined || valueType.def.type === 'unknown') return plainValue(node)
  const keeps = reading.keepsNull || core(valueType).kind === undefined
  const set = node.entries.filter(({ value }) => keeps || !isNull(value))
  return Object.fromEntries(
    set.map((entry) => [entry.key, shapeValue(entry.value, valueType, belowEntry(spot, entry.key, entry), reading)]),
  )
}

/** The plain value that the schema can parse. Fills the reading's problems, warnings and places. */
export const shape = (root: Node, schema: z.ZodType, reading: Reading): unknown => {
  if (root.kind === 'scalar' && root.value === null) return {}
  return shapeValue(root, schema, { path: [], spelled: '' }, reading)
}
