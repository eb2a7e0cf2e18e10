/**
 * How an answer of the configuration server goes over the configuration. Servers written with the Go program's library
 * send every option there is, those that are not set with the zero value of their type; so by default a zero value
 * changes nothing. With `present`, whatever is there counts, and null stands for the default.
 */
import * as z from 'zod'
import type { Kind } from '../fields.ts'
import { core } from '../shape.ts'

export type MergeMode = 'nonzero' | 'present'
type Mapping = Readonly<Record<string, unknown>>

const isMapping = (value: unknown): value is Mapping =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/**
 * Objects field by field, maps key by key (no key goes away), lists as a whole. Gives `base` itself if nothing changes,
 * and undefined where the default comes back. `over` is in the form of `shape.ts`.
 */
export function merge(declared: z.ZodType, base: unknown, over: unknown, mode: MergeMode): unknown {
  if (over === null) return mode === 'present' ? undefined : base
  const { schema, kind } = core(declared)
  const def = schema.def as { type: string; shape?: Record<string, z.ZodType>; valueType?: z.ZodType }
  if (def.type === 'unknown') return mergeForeign(base, over, mode)
  const { shape, valueType } = def
  if (isMapping(over) && (base === undefined || isMapping(base))) {
    if (shape !== undefined)
      return mergeEach(base, over, (key) => merge(shape[key] ?? foreign, base?.[key], over[key], mode))
    if (valueType !== undefined)
      return mergeEach(base, over, (key) => mergeKey(valueType, base?.[key], over[key], mode))
  }
  return (mode === 'nonzero' && isZero(kind, base, over)) || same(base, over) ? base : over
}

const foreign = z.unknown()

function mergeEach(base: Mapping | undefined, over: Mapping, mergeOne: (key: string) => unknown): Mapping | undefined {
  const merged = new Map(Object.entries(base ?? {}))
  let isChanged = false
  for (const key of Object.keys(over)) {
    const value = mergeOne(key)
    if (value === base?.[key]) continue
    isChanged = true
    if (value === undefined) merged.delete(key)
    else merged.set(key, value)
  }
  // fromEntries defines properties: a key `__proto__` is a key like any other.
  return isChanged ? Object.fromEntries(merged) : base
}

/** In a map the empty text is a value like any other, and so is null, if the map may hold it. */
function mergeKey(declared: z.ZodType, base: unknown, over: unknown, mode: MergeMode): unknown {
  const { type } = declared.def
  if (type === 'unknown') return mergeForeign(base, over, mode)
  if (over === null && type !== 'nullable') return mode === 'present' ? undefined : base
  return same(base, over) ? base : over
}

/** Objects that are checked by somebody else: which of their keys are maps is not known here. */
function mergeForeign(base: unknown, over: unknown, mode: MergeMode): unknown {
  if (over === null) return mode === 'present' ? undefined : base
  if (isMapping(over) && isMapping(base)) {
    return mergeEach(base, over, (key) => mergeForeign(base[key], over[key], mode))
  }
  const isEmptyList = Array.isArray(over) && over.length === 0
  const isZeroHere = isEmptyList || (base !== undefined && (over === '' || over === 0 || over === false))
  return (mode === 'nonzero' && isZeroHere) || same(base, over) ? base : over
}

function isZero(kind: Kind | undefined, base: unknown, over: unknown): boolean {
  if (Array.isArray(over)) return over.every((item) => item === '' || item === 0)
  // The Go program holds these behind a pointer, so that a zero can be set where nothing was.
  if (kind?.pointer === true && base === undefined) return false
  switch (kind?.form) {
    case 'text':
      return over === '' || (kind.zeros?.includes(String(over)) ?? false)
    case 'flag':
      return over === false
    case 'number':
    case 'duration':
    case 'nanoseconds':
      return over === 0
    default:
      return false
  }
}

const same = (a: unknown, b: unknown): boolean =>
  a === b || (typeof a === 'object' && typeof b === 'object' && JSON.stringify(a) === JSON.stringify(b))

/** Paths at which `b` is not what `a` is. */
export function* differences(a: unknown, b: unknown, path: readonly string[] = []): Iterable<readonly string[]> {
  if (a === b) return
  if (!isMapping(a) || !isMapping(b)) {
    yield path
    return
  }
  for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) yield* differences(a[key], b[key], [...path, key])
}
