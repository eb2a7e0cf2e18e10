/** Random values for every option, made from the schema: what a file may hold. */
import fc from 'fast-check'
import type * as z from 'zod'
import { formatDuration } from '../../../src/shared/config/duration.ts'
import type { Kind } from '../../../src/shared/config/fields.ts'
import { schema } from '../../../src/shared/config/schema.ts'
import { core } from '../../../src/shared/config/shape.ts'

type Arbitrary = fc.Arbitrary<unknown>
interface Def {
  readonly type: string
  readonly shape?: Readonly<Record<string, z.ZodType>>
  readonly element?: z.ZodType
  readonly valueType?: z.ZodType
  readonly options?: readonly z.ZodType[]
  readonly entries?: Readonly<Record<string, string>>
}

const text = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary' }),
  fc.constantFrom(
    '0123',
    'true',
    '~',
    'null',
    '- a',
    'a: b',
    ' x ',
    '#',
    '1e3',
    '.inf',
    'a\nb\n',
    '\r\n',
    '<<',
    '*a',
    '"',
  ),
)
/** As a parser gives it: JSON has no -0. */
const json = fc.jsonValue({ maxDepth: 2 }).map((value) => JSON.parse(JSON.stringify(value)))
/** Texts of a form that chance does not find. */
const forms: readonly (readonly [path: RegExp, values: Arbitrary])[] = [
  [/forwarding\.\w+(Allow|Deny)\[\]$/, fc.constantFrom('*:22', 'example.com:*', '10.0.0.0/8:80-90', '[::1]:0')],
  [/\.(glob|regex)$/, fc.constantFrom('a*', 'abc', '[a-z]+')],
  [/\.(exempt|trusted)\[\]$/, fc.constantFrom('192.0.2.0/24', '::1', '2001:db8::/32')],
  [
    /recipients\[\]$/,
    fc.constantFrom(
      'age1pyysjzgfpyysjzgfpyysjzgfpyysjzgfpyysjzgfpyysjzgfpyyscxl7ka',
      'CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk=',
    ),
  ],
  [/(serverVersion|clientVersion)$/, fc.constantFrom('SSH-2.0-X', 'SSH-2.0-a.b_c comment', '')],
  [/^log\.level$/, fc.constantFrom('debug', 'emerg', 0, 7)],
  [/pod\.metadata$/, fc.record({ labels: fc.dictionary(fc.string(), text), namespace: fc.constantFrom('a', 'b') })],
  [
    /pod\.spec$/,
    fc.record({
      containers: fc.array(fc.record({ image: text, args: fc.array(text), tty: fc.boolean() }), { maxLength: 2 }),
      terminationGracePeriodSeconds: fc.nat(),
    }),
  ],
]

const numberOf = (declared: z.ZodType, kind: Kind | undefined): Arbitrary => {
  const { minValue, maxValue, format } = declared as z.ZodNumber
  const min = Math.max(minValue ?? 0, -1e6)
  const max = Math.min(maxValue ?? 2 ** 40, 2 ** 50)
  if (kind?.form === 'duration') {
    // Some options take 0 and what is not shorter than a second.
    const ms = fc.oneof(fc.integer({ min: Math.max(min, 1000), max }), fc.constant(Math.max(min, 1000)))
    return fc.oneof(
      ms.map(formatDuration),
      ms.map((value) => value * 1e6),
      fc.constantFrom('0', 0),
    )
  }
  if (kind?.form === 'nanoseconds') return fc.oneof(fc.nat(), fc.constantFrom('5s', '1m'))
  return format === null ? fc.double({ min: 0.001, max: 1e9, noNaN: true }) : fc.integer({ min, max })
}

const objectOf = (shape: Readonly<Record<string, z.ZodType>>, path: string): Arbitrary => {
  const entries = Object.entries(shape).map(([key, child]) => [key, valuesOf(child, `${path}.${key}`)] as const)
  const needed = path === 'auth.users[]' ? ['name'] : []
  return fc.record(Object.fromEntries(entries), { requiredKeys: needed })
}

/** What may stand at the option. `path` as in `security.env.allow[]`. */
export const valuesOf = (declared: z.ZodType, path: string): Arbitrary => {
  const own = forms.find(([form]) => form.test(path))
  if (own !== undefined) return own[1]
  const { schema: inner, kind } = core(declared)
  const def = inner.def as Def
  switch (def.type) {
    case 'object':
      return objectOf(def.shape ?? {}, path.replace(/^\./, ''))
    case 'array':
      return fc.array(valuesOf(def.element ?? inner, `${path}[]`), { minLength: 1, maxLength: 3 })
    case 'record': {
      const value = def.valueType?.def.type === 'string' ? text : json
      if (def.valueType?.def.type === 'nullable') return fc.dictionary(fc.string(), fc.constantFrom(null, {}))
      return fc.dictionary(fc.string({ minLength: 1 }), value, { maxKeys: 3 })
    }
    case 'union':
      return fc.oneof(text, fc.constantFrom({ glob: 'a*' }, { regex: '[ab]+' }))
    case 'enum':
      return fc.constantFrom(...Object.values(def.entries ?? {}))
    case 'boolean':
      return fc.boolean()
    case 'number':
      return numberOf(inner, kind)
    case 'string':
      return text.filter((value) => inner.safeParse(value).success)
    default:
      throw new Error(`${path}: no values for ${def.type}`)
  }
}

/** A file, most options of which are absent. */
export const anyFile: fc.Arbitrary<Readonly<Record<string, unknown>>> = fc
  .subarray(Object.keys(schema.unwrap().shape), { minLength: 1, maxLength: 4 })
  .chain((keys) => {
    const { shape } = schema.unwrap() as unknown as { shape: Readonly<Record<string, z.ZodType>> }
    return fc.record(Object.fromEntries(keys.map((key) => [key, valuesOf(shape[key] ?? schema, key)])))
  })
