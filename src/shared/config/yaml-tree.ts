/** YAML 1.2 to a tree, with aliases and merge keys followed. Only the first document of a file counts. */
import * as yaml from 'yaml'
import { deepest, type Entry, mostNodes, type Node, type Scalar, TreeError } from './tree.ts'

interface Walk {
  readonly doc: yaml.Document.Parsed
  nodes: number
}

const offset = (node: unknown): number => (yaml.isNode(node) ? (node.range?.[0] ?? 0) : 0)

const scalar = (node: yaml.Scalar): Scalar => {
  const at = offset(node)
  const { value } = node
  const known = value === null || ['string', 'number', 'boolean'].includes(typeof value)
  const plain = node.type === 'PLAIN' ? { plain: node.source ?? '' } : {}
  return { kind: 'scalar', value: known ? (value as Scalar['value']) : (node.source ?? ''), at, ...plain }
}

const keyText = (key: unknown): string => {
  if (yaml.isScalar(key)) return key.source ?? String(key.value)
  throw new TreeError('the key of a mapping must be a text', offset(key))
}

/** The mappings that `<<` names (https://yaml.org/type/merge.html); earlier ones win. */
const merged = (walk: Walk, node: unknown, depth: number): Entry[] => {
  const target = toNode(walk, node, depth)
  const maps = target.kind === 'list' ? target.items : [target]
  return maps.flatMap((map) => {
    if (map.kind !== 'map') throw new TreeError('the merge key << needs a mapping', offset(node))
    return map.entries
  })
}

const mapping = (walk: Walk, node: yaml.YAMLMap, depth: number): Node => {
  const own: Entry[] = []
  const inherited: Entry[] = []
  for (const { key, value } of node.items) {
    const isMerge = yaml.isScalar(key) && key.type === 'PLAIN' && key.source === '<<'
    if (isMerge) inherited.push(...merged(walk, value, depth + 1))
    else own.push({ key: keyText(key), at: offset(key), value: toNode(walk, value, depth + 1) })
  }
  const seen = new Set(own.map((entry) => entry.key))
  for (const entry of inherited) {
    if (!seen.has(entry.key)) own.push(entry)
    seen.add(entry.key)
  }
  return { kind: 'map', entries: own, at: offset(node) }
}

const toNode = (walk: Walk, node: unknown, depth: number): Node => {
  walk.nodes += 1
  if (depth > deepest) throw new TreeError('is nested too deeply', offset(node))
  if (walk.nodes > mostNodes) throw new TreeError('has too many values', offset(node))
  if (yaml.isAlias(node)) {
    const target = node.resolve(walk.doc)
    if (target === undefined) throw new TreeError(`no anchor is named ${node.source}`, offset(node))
    return toNode(walk, target, depth + 1)
  }
  if (yaml.isMap(node)) return mapping(walk, node, depth)
  if (yaml.isSeq(node)) {
    return { kind: 'list', items: node.items.map((item) => toNode(walk, item, depth + 1)), at: offset(node) }
  }
  if (yaml.isScalar(node)) return scalar(node)
  // A key without a value.
  return { kind: 'scalar', value: null, at: offset(node) }
}

/** Undefined for an empty file. Throws all syntax errors as `TreeError`s in an array. */
export const yamlTree = (source: string): Node | undefined => {
  // prettyErrors would quote lines of the file, which may hold secrets.
  const docs = yaml.parseAllDocuments(source, { prettyErrors: false, schema: 'core', logLevel: 'silent' })
  const doc = Array.isArray(docs) ? docs[0] : undefined
  if (doc === undefined) return undefined
  if (doc.errors.length > 0) {
    throw new AggregateError(doc.errors.map((error) => new TreeError(`is not YAML: ${error.message}`, error.pos[0])))
  }
  return toNode({ doc, nodes: 0 }, doc.contents, 0)
}
