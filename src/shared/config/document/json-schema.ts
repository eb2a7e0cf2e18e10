/** The configuration as a JSON Schema, for editors: docs/config.schema.json. It is a little stricter than the program. */
import * as z from 'zod'
import { formatDuration } from '../duration.ts'
import { type Kind, traits } from '../fields.ts'
import { podTypes } from '../pod-types.ts'
import { schema } from '../schema.ts'
import { levels } from '../services.ts'
import { core } from '../shape.ts'

/** A node of it; `ours` is a note for the page, not a part of the document. */
export interface JsonSchema {
  $schema?: string
  title?: string
  $defs?: Record<string, JsonSchema>
  $ref?: string
  type?: string | readonly string[]
  description?: string
  default?: unknown
  enum?: readonly unknown[]
  anyOf?: readonly JsonSchema[]
  properties?: Record<string, JsonSchema>
  additionalProperties?: boolean | JsonSchema
  required?: readonly string[]
  items?: JsonSchema
  minimum?: number
  maximum?: number
  exclusiveMinimum?: number
  minItems?: number
  minLength?: number
  maxLength?: number
  pattern?: string
  writeOnly?: boolean
  ours?: boolean
  aliases?: Readonly<Record<string, string>>
}

/** Go's notation, or a whole number of nanoseconds. */
const duration = { pattern: '^[+-]?(0|((\\d+\\.?\\d*|\\.\\d+)(ns|us|µs|μs|ms|s|m|h))+)$' }

const podKinds: Readonly<Record<string, JsonSchema>> = {
  text: { type: ['string', 'number'] },
  flag: { type: 'boolean' },
  number: { type: 'integer' },
  textOrNumber: { type: ['string', 'integer'] },
  map: { type: 'object', additionalProperties: { type: ['string', 'number'] } },
  texts: { type: 'array', items: { type: 'string' } },
  numbers: { type: 'array', items: { type: 'integer' } },
  any: {},
}
const podKind = (kind: string): JsonSchema => {
  const known = podKinds[kind]
  if (known !== undefined) return known
  if (kind.endsWith('[]')) return { type: 'array', items: podKind(kind.slice(0, -2)) }
  return { $ref: `#/$defs/${kind}` }
}
const podDefinitions = (): Record<string, JsonSchema> =>
  Object.fromEntries(
    Object.entries(podTypes).map(([name, fields]) => {
      const properties = fields.split(' ').map((field): [string, JsonSchema] => {
        const [key = '', kind = 'text'] = field.split(':')
        return [key, podKind(kind)]
      })
      return [name, { type: 'object', properties: Object.fromEntries(properties), additionalProperties: false }]
    }),
  )

const only = (node: JsonSchema, more: JsonSchema): void => {
  for (const key of Object.keys(node) as (keyof JsonSchema)[]) {
    if (!['description', 'default', 'ours'].includes(key)) delete node[key]
  }
  Object.assign(node, more)
}

/** What zod does not know: how a value is written in a file. */
const asWritten = (node: JsonSchema, kind: Kind | undefined): void => {
  if (kind?.form === 'duration' || kind?.form === 'nanoseconds') {
    only(node, { type: ['string', 'integer'], ...duration })
    if (typeof node.default === 'number') node.default = formatDuration(node.default)
  } else if (kind?.form === 'colonList' && node.items !== undefined) {
    only(node, { anyOf: [{ type: 'array', minItems: 1, items: node.items }, { type: 'string' }] })
  } else if (kind?.object !== undefined) {
    only(node, { anyOf: [{ $ref: `#/$defs/${kind.object}` }, { type: 'null' }] })
  }
  // An empty text means the default there.
  if (kind?.emptyMeansDefault) delete node.minLength
  if (kind?.secret) node.writeOnly = true
  // Null means the default everywhere; said only where old programs wrote it.
  if (node.type === 'object' || node.type === 'array') node.type = [node.type, 'null']
}

/** Only when zod has put everything together are the options there that aliases stand for. */
const addAliases = (node: JsonSchema): void => {
  const { aliases = {}, properties = {}, items } = node
  for (const child of Object.values(properties)) addAliases(child)
  if (items !== undefined) addAliases(items)
  delete node.aliases
  for (const [alias, key] of Object.entries(aliases)) {
    const { default: _, ...same } = properties[key] ?? {}
    properties[alias] = { ...same, description: `The same as \`${key}\`.`, ours: true }
  }
}

const isEmptyMapping = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length === 0

/** With the notes. */
export const describeConfig = (): JsonSchema => {
  const made = z.toJSONSchema(schema, {
    io: 'input',
    unrepresentable: 'any',
    override: ({ zodSchema, jsonSchema }) => {
      const node = jsonSchema as JsonSchema
      const declared = zodSchema as unknown as z.ZodType
      // `log.level`: zod describes what it becomes.
      if (declared.def.type === 'pipe') only(node, { type: ['string', 'integer'], enum: [...levels, ...levels.keys()] })
      asWritten(node, core(declared).kind)
      const { aliases } = traits.get(declared) ?? {}
      if (aliases !== undefined) node.aliases = aliases
      if (isEmptyMapping(node.default) && node.properties !== undefined) delete node.default
    },
  }) as JsonSchema
  addAliases(made)
  const { log } = made.properties ?? {}
  if (log?.properties?.['level'] !== undefined) log.properties['level'].default = 'notice'
  return { ...made, title: 'Configuration of ContainerSSH', $defs: podDefinitions() }
}

const withoutNotes = (key: string, value: unknown): unknown => (key === 'ours' ? undefined : value)

export const renderSchema = (): string => `${JSON.stringify(describeConfig(), withoutNotes, 1)}\n`
