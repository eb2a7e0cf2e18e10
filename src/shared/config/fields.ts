/**
 * The kinds of value a configuration file can hold. Each is a zod schema plus a note (`Kind`) that tells the reader of
 * files (`shape.ts`) how its text form looks and the printer (`dump.ts`) how to write it back.
 */
import * as z from 'zod'
import { longestDurationMs } from './duration.ts'

export interface Kind {
  readonly form: 'text' | 'flag' | 'number' | 'duration' | 'nanoseconds' | 'list' | 'colonList' | 'map'
  /** An empty text, or a zero duration, is written by old programs for "not set". */
  readonly emptyMeansDefault?: boolean
  /** Never echoed in errors, masked in dumps. */
  readonly secret?: boolean
  /** Texts besides the empty one that the Go program's zero value has. */
  readonly zeros?: readonly string[]
  /** The Go program tells false and 0 from "not set". */
  readonly pointer?: boolean
  /** An object of the Kubernetes API, by its name in `pod-types.ts`. */
  readonly object?: 'PodSpec' | 'ObjectMeta'
}
export const kinds = z.registry<Kind>()

/** How the keys of an object are matched, where that differs from "exactly, or it is an error". */
export interface Traits {
  readonly anyCase?: boolean
  readonly unknownKeys?: 'warn'
  /** Other spelling to key. */
  readonly aliases?: Readonly<Record<string, string>>
  /** A key whose mapping is read as if its entries stood beside it. */
  readonly inline?: string
}
export const traits = z.registry<Traits>()

declare module 'zod' {
  interface GlobalMeta {
    /** An option that the Go program did not have, or all of a section that it did not have. */
    readonly ours?: boolean
  }
}
/** The description of an option of our own; `.describe()` is for those of the Go program. */
export const ours = (description: string) => ({ description, ours: true }) as const

/** Every error text reads after "PATH: VALUE": `"5x" is not a duration; expected …`. */
const is = (text: string) => ({ error: text })
const textError = is('is not a text')

const register = <S extends z.ZodType>(schema: S, kind: Kind): S => {
  // A registry is typed by the schema's own type, which a generic function cannot name.
  const put = kinds.add.bind(kinds) as (schema: z.ZodType, kind: Kind) => unknown
  put(schema, kind)
  return schema
}

/** Any text; the empty one counts as written. */
export const text = (preset = '') => register(z.string(textError), { form: 'text' }).default(preset)
export const secret = () => register(z.string(textError), { form: 'text', secret: true }).default('')
/** A text that cannot be empty: an empty one means the default. */
export const name = (preset: string) =>
  register(z.string(textError).min(1, 'is empty'), { form: 'text', emptyMeansDefault: true }).default(preset)
/** A text that `problem` finds nothing wrong with; what it says is read after the value. */
export const checked = (problem: (text: string) => string | undefined) =>
  register(
    z.string(textError).refine((value) => problem(value) === undefined, {
      error: ({ input }) => problem(String(input)) ?? '',
    }),
    { form: 'text' },
  )
export const flag = (preset = false) =>
  register(z.boolean(is('is neither true nor false; expected true or false')), { form: 'flag' }).default(preset)
export const integer = (preset: number, least: number, most: number = Number.MAX_SAFE_INTEGER) => {
  const range = most === Number.MAX_SAFE_INTEGER ? `of ${least} or more` : `from ${least} to ${most}`
  const wrong = `is not accepted; expected a whole number ${range}`
  return register(z.int(is(wrong)).min(least, wrong).max(most, wrong), { form: 'number' }).default(preset)
}
export const decimal = (preset: number) => {
  const wrong = 'is not accepted; expected a number above 0'
  return register(z.number(is(wrong)).positive(wrong), { form: 'number' }).default(preset)
}
const durationError = 'is not a duration; expected e.g. "30s", "1m30s"'
/** Milliseconds. `leastMs` above 0: a zero means the default. */
export const duration = (presetMs: number, leastMs = 0) => {
  const schema = z
    .number(is(durationError))
    .min(leastMs, leastMs === 0 ? 'is negative; expected 0 or more' : `is too short; expected ${leastMs} ms or more`)
    .max(longestDurationMs, 'is too long; expected less than 596h')
  return register(schema, { form: 'duration', emptyMeansDefault: leastMs > 0 }).default(presetMs)
}
export const choice = <const T extends readonly [string, ...string[]]>(values: T, preset: T[number]) =>
  register(z.enum(values, is(`is not known; expected one of ${values.filter((value) => value !== '').join(', ')}`)), {
    form: 'text',
    emptyMeansDefault: !values.includes(''),
  }).default(preset as z.util.NoUndefined<T[number]>)
const listError = is('is not a list')
export const texts = (preset: readonly string[] = [], secretItems = false) =>
  register(z.array(register(z.string(textError), { form: 'text', secret: secretItems }), listError), {
    form: 'list',
  }).default([...preset])
/** A list, or one text with the items joined by colons. */
export const colonList = (known: readonly string[], preset: readonly string[]) => {
  const item = z.enum(known as [string, ...string[]], is(`is not known; expected one of ${known.join(', ')}`))
  const items = register(z.array(register(item, { form: 'text' }), listError), { form: 'colonList' })
  return items
    .min(1, 'is empty; expected at least one entry')
    .register(kinds, { form: 'colonList' })
    .default([...preset])
}
export const list = <S extends z.ZodType>(item: S) => register(z.array(item, listError), { form: 'list' }).default([])
/** A text, or a mapping in its place. */
export const textOr = <S extends z.ZodObject>(mapping: S, wrong: string) =>
  register(z.union([register(z.string(), { form: 'text' }), mapping], is(wrong)), { form: 'text' })
export const textMap = (preset: Readonly<Record<string, string>> = {}) =>
  register(z.record(z.string(), register(z.string(textError), { form: 'text' }), is('is not a mapping')), {
    form: 'map',
  }).default({ ...preset })
/** Whatever stands there; for objects whose schema belongs to somebody else. */
export const podObject = (object: 'PodSpec' | 'ObjectMeta') => register(foreign(), { form: 'map', object })
export const foreign = () => z.record(z.string(), z.unknown(), is('is not a mapping'))

const mappingError = is('is not a mapping')
/** A section: every key has a default, so an absent section is one full of defaults; the type cannot know that. */
export const section = <S extends z.ZodRawShape>(shape: S) => z.strictObject(shape, mappingError).prefault({} as never)
/** Keys of an API of others: any case, and unknown ones are passed on with a warning. */
export const apiObject = <S extends z.ZodRawShape>(shape: S, more: Traits = {}) => {
  const schema = z.looseObject(shape, mappingError)
  traits.add(schema, { anyCase: true, unknownKeys: 'warn', ...more })
  return schema
}

/** The same leaves without a default, for `apiObject`. */
export const api = {
  text: () => register(z.string(textError), { form: 'text' }).optional(),
  secret: () => register(z.string(textError), { form: 'text', secret: true }).optional(),
  flag: (pointer = false) => register(z.boolean(is('is neither true nor false')), { form: 'flag', pointer }).optional(),
  number: (pointer = false) => register(z.number(is('is not a number')), { form: 'number', pointer }).optional(),
  /** Written as nanoseconds or as a text; handed on as nanoseconds, the API's unit. */
  nanoseconds: () => register(z.int(is(durationError)), { form: 'nanoseconds' }).optional(),
  texts: () =>
    register(z.array(register(z.string(textError), { form: 'text' }), listError), { form: 'list' }).optional(),
  map: () => textMap().removeDefault().optional(),
  list: <S extends z.ZodType>(item: S) => register(z.array(item, listError), { form: 'list' }).optional(),
  mapOf: <S extends z.ZodType>(item: S) =>
    register(z.record(z.string(), item.nullable(), is('is not a mapping')), { form: 'map' }).optional(),
  foreign: () => foreign().optional(),
}
