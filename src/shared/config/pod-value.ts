/**
 * Objects of the Kubernetes API, read by the table of their keys (`pod-types.ts`): keys match in any case and come out
 * in the API's spelling; what no key is, or has the wrong type, is a problem.
 */
import { podTypes } from './pod-types.ts'
import { nearest, show } from './problems.ts'
import type { Reading } from './shape.ts'
import { below, belowEntry, pathKey, type Spot } from './spot.ts'
import { type Entry, type Mapping, type Node, plainValue, type Scalar } from './tree.ts'

interface Field {
  readonly name: string
  readonly kind: string
}

/** Made when a file has such an object, which few do. By the key in lower case. */
const known = new Map<string, ReadonlyMap<string, Field>>()
const fieldsOf = (type: string): ReadonlyMap<string, Field> => {
  const made = known.get(type)
  if (made !== undefined) return made
  const fields = (podTypes[type] ?? '').split(' ').map((text): [string, Field] => {
    const [name = '', kind = 'text'] = text.split(':')
    return [name.toLowerCase(), { name, kind }]
  })
  const map = new Map(fields)
  known.set(type, map)
  return map
}

/** By its key in any case; undefined if objects of the type have no such key. */
export const fieldOf = (type: string, key: string): Field | undefined => fieldsOf(type).get(key.toLowerCase())

const scalarTypes: Readonly<Record<string, { readonly is: (value: unknown) => boolean; readonly what: string }>> = {
  text: { is: (value) => typeof value === 'string', what: 'a text' },
  flag: { is: (value) => typeof value === 'boolean', what: 'true or false' },
  number: { is: (value) => Number.isSafeInteger(value), what: 'a whole number' },
  textOrNumber: { is: (value) => typeof value === 'string' || Number.isSafeInteger(value), what: 'a name or a number' },
}
const lists: Readonly<Record<string, string>> = { texts: 'text', numbers: 'number' }

const wrong = (node: Node, spot: Spot, what: string, reading: Reading): undefined => {
  const message = `${show(plainValue(node))} is not accepted; expected ${what}`
  reading.problems.push({ at: node.at, path: spot.spelled, message })
}

const scalarOf = (node: Scalar, kind: string, spot: Spot, reading: Reading): unknown => {
  const type = scalarTypes[kind]
  if (type === undefined) return wrong(node, spot, kind === 'any' ? 'a value' : 'a mapping', reading)
  const value = kind === 'text' && reading.converts && node.plain !== undefined ? node.plain : node.value
  return type.is(value) ? value : wrong(node, spot, type.what, reading)
}

const isNull = (node: Node): boolean => node.kind === 'scalar' && node.value === null

const eachEntry = (
  { entries }: Mapping,
  spot: Spot,
  reading: Reading,
  one: (entry: Entry) => { readonly key: string; readonly kind: string } | undefined,
): unknown => {
  const found = new Map<string, unknown>()
  for (const entry of entries) {
    const field = one(entry)
    if (field === undefined) continue
    const child = belowEntry(spot, field.key, entry)
    if (found.has(field.key)) {
      reading.problems.push({ at: entry.at, path: child.spelled, message: 'stands here a second time' })
    }
    if (!isNull(entry.value)) found.set(field.key, podValue(entry.value, field.kind, child, reading))
    else if (reading.keepsNull) found.set(field.key, null)
  }
  return Object.fromEntries(found)
}

/** `kind` as in the table. */
export const podValue = (node: Node, kind: string, spot: Spot, reading: Reading): unknown => {
  reading.places.set(pathKey(spot.path), { at: node.at, path: spot.spelled })
  if (kind === 'any') return plainValue(node)
  const element = lists[kind] ?? (kind.endsWith('[]') ? kind.slice(0, -2) : undefined)
  if (element !== undefined) {
    if (node.kind !== 'list') return wrong(node, spot, 'a list', reading)
    return node.items.map((item, index) => podValue(item, element, below(spot, index), reading))
  }
  if (node.kind === 'scalar') return scalarOf(node, kind, spot, reading)
  if (node.kind === 'list') return wrong(node, spot, scalarTypes[kind]?.what ?? 'a mapping', reading)
  if (kind === 'map') return eachEntry(node, spot, reading, ({ key }) => ({ key, kind: 'text' }))
  if (podTypes[kind] === undefined) return wrong(node, spot, scalarTypes[kind]?.what ?? 'a value', reading)
  const fields = fieldsOf(kind)
  return eachEntry(node, spot, reading, (entry) => {
    const field = fields.get(entry.key.toLowerCase())
    if (field !== undefined) return { key: field.name, kind: field.kind }
    if (reading.tolerates?.(entry.value)) return undefined
    const names = [...fields.values()].map(({ name }) => name)
    const meant = nearest(entry.key, names)
    const hint = meant === undefined ? '' : `; did you mean ${meant}?`
    const message = `is not a key of the Kubernetes API that we know${hint}`
    reading.problems.push({ at: entry.at, path: belowEntry(spot, entry.key, entry).spelled, message })
    return undefined
  })
}
