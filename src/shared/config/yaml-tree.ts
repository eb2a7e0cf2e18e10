/** YAML 1.2 to a tree, with aliases and merge keys followed. Only the first document of a file counts. */
import * as yaml from 'yaml'
import { deepest, type Entry, mostNodes, type Node, type Scalar, TreeError } from './tree.ts'

interface Walk {
  nodes: number
  /** The latest node of each name. */
  readonly anchors: Map<string, yaml.Node>
  /** An alias means the latest node before itself, also when it is followed again later. */
  readonly targets: Map<yaml.Alias, yaml.Node>
  readonly seen: Set<yaml.Node>
}

const offset = (node: unknown): number => (yaml.isNode(node) ? (node.range?.[0] ?? 0) : 0)

const scalar = (node: yaml.Scalar): Scalar => {
  const at = offset(node)
  const { value } = node
  const known = value === null || ['string', 'number', 'boolean'].includes(typeof value)
  const plain = node.type === 'PLAIN' ? { plain: node.source ?? '' } : {}
  return {
    kind: 'scalar',
    value: known ? (value as Scalar['value']) : (node.source ?? ''),
    at,
    ...plain,
    source: node,
  }
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
  for (const pair of node.items) {
    const { key, value } = pair
    const isMerge = yaml.isScalar(key) && key.type === 'PLAIN' && key.source === '<<'
    if (isMerge) for (const entry of merged(walk, value, depth + 1)) inherited.push(entry)
    else own.push({ key: keyText(key), at: offset(key), value: toNode(walk, value, depth + 1), source: pair })
  }
  const seen = new Set(own.map((entry) => entry.key))
  for (const entry of inherited) {
    if (!seen.has(entry.key)) own.push(entry)
    seen.add(entry.key)
  }
  return { kind: 'map', entries: own, at: offset(node), source: node }
}

/** `Alias.resolve` of the library searches the whole document each time. */
const follow = (walk: Walk, alias: yaml.Alias): yaml.Node => {
  const target = walk.targets.get(alias) ?? walk.anchors.get(alias.source)
  if (target === undefined) throw new TreeError(`no anchor is named ${alias.source}`, offset(alias))
  walk.targets.set(alias, target)
  return target
}

const toNode = (walk: Walk, node: unknown, depth: number): Node => {
  walk.nodes += 1
  if (depth > deepest) throw new TreeError('is nested too deeply', offset(node))
  if (walk.nodes > mostNodes) throw new TreeError('has too many values', offset(node))
  if (yaml.isAlias(node)) return { ...toNode(walk, follow(walk, node), depth + 1), source: node }
  if (yaml.isNode(node) && node.anchor !== undefined && !walk.seen.has(node)) {
    walk.anchors.set(node.anchor, node)
    walk.seen.add(node)
  }
  if (yaml.isMap(node)) return mapping(walk, node, depth)
  if (yaml.isSeq(node)) {
    const items = node.items.map((item) => toNode(walk, item, depth + 1))
    return { kind: 'list', items, at: offset(node), source: node }
  }
  if (yaml.isScalar(node)) return scalar(node)
  // A key without a value.
  return { kind: 'scalar', value: null, at: offset(node) }
}

/** Keys, values, punctuation and white space. */
const mostLexemes = 6 * mostNodes

/** What `yaml.parseAllDocuments` does, up to the end of the first document. */
const firstDocument = (source: string): yaml.Document | undefined => {
  // prettyErrors would quote lines of the file, which may hold secrets. The library compares each key with each other
  // one to find a key that stands twice: `duplicates.ts` does.
  const options = { prettyErrors: false, schema: 'core', logLevel: 'silent', uniqueKeys: false } as const
  const parser = new yaml.Parser()
  const composer = new yaml.Composer(options)
  let lexemes = 0
  for (const lexeme of new yaml.Lexer().lex(source)) {
    lexemes += 1
    if (lexemes > mostLexemes) throw new TreeError('has too many values', 0)
    for (const token of parser.next(lexeme)) for (const doc of composer.next(token)) return doc
  }
  for (const token of parser.end()) for (const doc of composer.next(token)) return doc
  for (const doc of composer.end()) return doc
  return undefined
}

/**
 * The first document of a file; undefined if there is none.
 * @throws AggregateError of all syntax errors, as `TreeError`s.
 */
export const yamlDocument = (source: string): yaml.Document | undefined => {
  const doc = firstDocument(source)
  if (doc === undefined || doc.errors.length === 0) return doc
  throw new AggregateError(doc.errors.map((error) => new TreeError(`is not YAML: ${error.message}`, error.pos[0])))
}

/** Undefined for an empty file. Throws as `yamlDocument`, and `TreeError`. */
export const yamlTree = (source: string): Node | undefined => treeOfDocument(yamlDocument(source))

export const treeOfDocument = (doc: yaml.Document | undefined): Node | undefined =>
  doc === undefined
    ? undefined
    : toNode({ nodes: 0, anchors: new Map(), targets: new Map(), seen: new Set() }, doc.contents, 0)
