/** docs/config.md: every option, made from the schema and its descriptions. */
import { isOwnOption } from '../user/settings.ts'
import { describeConfig, type JsonSchema } from './json-schema.ts'

interface Row {
  readonly path: readonly string[]
  readonly node: JsonSchema
  readonly isOurs: boolean
}

/** Longer lists of names stand at the end of the page, once. */
const mostNames = 6

const head = `# Configuration

Made by \`npm run docs\` from the schema. The file is YAML, or JSON if its name ends in \`.json\`; \`containerssh check-config\`
says what is wrong with one, \`containerssh migrate-config\` prints one of an older version in today's form, and
[config.schema.json](config.schema.json) makes editors complete and check it:

    # yaml-language-server: $schema=https://…/docs/config.schema.json

- What is absent or \`null\` has its default, and so has an empty text or a time of 0 where that would mean nothing.
- **Times** are texts such as \`30s\`, \`1m30s\`, \`500ms\`, or whole numbers of nanoseconds. **Sizes** are numbers of bytes.
- **Per user**: a configuration webhook (\`configserver\`) can set it for one user.
- **Own**: the Go program did not have this option.
- Keys are exact in YAML; in JSON, and in the objects of Docker and Kubernetes, upper and lower case are the same.
`

const code = (value: unknown): string => `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``
const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ')

const rowsOf = (node: JsonSchema, path: readonly string[], isOurs: boolean): Row[] => {
  const own = isOurs || node.ours === true
  const row: Row = { path, node, isOurs: own }
  const { properties } = node.items?.properties === undefined ? node : node.items
  const at = node.items?.properties === undefined ? path : [...path.slice(0, -1), `${path.at(-1)}[]`]
  const below = Object.entries(properties ?? {}).flatMap(([key, child]) => rowsOf(child, [...at, key], own))
  return [row, ...below]
}

const names = new Map<string, { readonly title: string; readonly values: readonly unknown[] }>()
const nameList = (values: readonly unknown[], path: readonly string[]): string => {
  if (values.length <= mostNames) return values.map((value) => (value === '' ? 'empty' : code(value))).join(', ')
  const key = JSON.stringify(values)
  const title = names.get(key)?.title ?? path.at(-1) ?? ''
  names.set(key, { title, values })
  return `[${title}](#names-of-${title.toLowerCase()})`
}

const range = ({ minimum, maximum, exclusiveMinimum }: JsonSchema): string => {
  const most = maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER ? maximum : undefined
  if (exclusiveMinimum !== undefined) return ` above ${exclusiveMinimum}`
  if (minimum === undefined || minimum <= Number.MIN_SAFE_INTEGER) return ''
  return most === undefined ? ` of ${minimum} or more` : ` from ${minimum} to ${most}`
}

const typeOf = (node: JsonSchema, path: readonly string[]): string => {
  if (node.pattern?.includes('µs')) return 'time'
  if (node.enum !== undefined) return nameList(node.enum, path)
  const [first, ...others] = node.anyOf ?? []
  if (first?.$ref !== undefined) return `${first.$ref.replace(/.*\//, '')} of Kubernetes`
  if (first !== undefined) {
    const more = others.some((other) => other.type === 'object') ? ', or a mapping' : ', or one text joined by colons'
    return `${typeOf(first, path)}${more}`
  }
  const type = typeof node.type === 'string' ? node.type : node.type?.[0]
  switch (type) {
    case 'array':
      return node.items?.properties === undefined ? `list of ${typeOf(node.items ?? {}, path)}` : 'list of mappings'
    case 'object':
      return node.properties === undefined && typeof node.additionalProperties === 'object' ? 'map' : 'section'
    case 'boolean':
      return 'flag'
    case 'integer':
      return `number${range(node)}`
    case 'number':
      return `number${range(node)}`
    default:
      return node.writeOnly === true ? 'secret text' : 'text'
  }
}

const defaultOf = ({ default: preset }: JsonSchema): string => {
  if (preset === undefined) return ''
  if (preset === '') return 'empty'
  if (Array.isArray(preset)) return preset.length === 0 ? 'empty' : preset.map(code).join(', ')
  return code(preset)
}

const line = ({ path, node, isOurs }: Row): string => {
  const perUser = isOwnOption(path.map((key) => key.replace('[]', ''))) ? 'yes' : ''
  const cells = [code(path.join('.')), typeOf(node, path), defaultOf(node), perUser, isOurs ? 'yes' : '']
  return `| ${[...cells, node.description ?? ''].map(cell).join(' | ')} |`
}

const table = (rows: readonly Row[]): string[] => [
  '| Option | Type | Default | Per user | Own | Meaning |',
  '|---|---|---|---|---|---|',
  ...rows.map(line),
  '',
]

export const renderConfigPage = (): string => {
  names.clear()
  const top = Object.entries(describeConfig().properties ?? {}).map(([key, node]) => rowsOf(node, [key], false))
  const sections = top.flatMap((rows) => {
    const [first, ...more] = rows
    if (first === undefined) return []
    const title = `## \`${first.path.join('.')}\``
    return more.length === 0
      ? [title, '', ...table(rows)]
      : [title, '', first.node.description ?? '', '', ...table(more)]
  })
  const lists = [...names.values()].flatMap(({ title, values }) => [
    `## Names of ${title}`,
    '',
    values.map((value) => code(value)).join(', '),
    '',
  ])
  return [head, ...sections, ...lists].join('\n')
}
