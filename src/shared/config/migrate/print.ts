/** A migrated tree as YAML, with the comments of the file it came from. */
import { isDeepStrictEqual } from 'node:util'
import * as yaml from 'yaml'
import { type Entry, type Mapping, type Node, plainValue } from '../tree.ts'
import { keepAsWritten, layoutOf } from '../yaml-edit.ts'
import { yamlText } from '../yaml-text.ts'
import { treeOfDocument, yamlDocument, yamlTree } from '../yaml-tree.ts'

/** A comment before the first entry belongs to that entry, which may move, and not to the mapping. */
const commentsToEntries = (doc: yaml.Document): void => {
  yaml.visit(doc, {
    Map: (_key, map) => {
      const first = map.items[0]?.key
      const { commentBefore } = map
      if (!commentBefore || !yaml.isScalar(first)) return
      first.commentBefore = [commentBefore, first.commentBefore].filter(Boolean).join('\n')
      map.commentBefore = null
    },
  })
  // What a blank line parts from the first entry is about the file.
  const first = yaml.isMap(doc.contents) ? doc.contents.items[0]?.key : undefined
  if (!yaml.isScalar(first) || !first.commentBefore) return
  const end = first.commentBefore.lastIndexOf('\n\n')
  if (end === -1) return
  doc.commentBefore = [doc.commentBefore, first.commentBefore.slice(0, end)].filter(Boolean).join('\n')
  first.commentBefore = first.commentBefore.slice(end + 2)
}

const nodesOf = (node: Node, found = new Set<Node>()): Set<Node> => {
  found.add(node)
  if (node.kind === 'list') for (const item of node.items) nodesOf(item, found)
  if (node.kind === 'map') for (const { value } of node.entries) nodesOf(value, found)
  return found
}

const keyOf = ({ key, source }: Entry): yaml.Scalar => {
  const old = yaml.isPair(source) ? source.key : undefined
  if (!yaml.isScalar(old)) return new yaml.Scalar(key)
  if (old.value === key) return old
  const fresh = new yaml.Scalar(key)
  if (old.commentBefore) fresh.commentBefore = old.commentBefore
  if (old.spaceBefore) fresh.spaceBefore = true
  return fresh
}

/** Nodes of the file where nothing changed, new ones elsewhere. */
const rebuilt = (node: Node, unchanged: ReadonlySet<Node>): yaml.Node => {
  const { source } = node
  if (unchanged.has(node) && yaml.isNode(source)) return source
  if (node.kind === 'scalar') return new yaml.Scalar(node.value === null ? '~' : String(node.value))
  if (node.kind === 'list') {
    const list = new yaml.YAMLSeq()
    list.items = node.items.map((item) => rebuilt(item, unchanged))
    if (list.items.length === 0) list.flow = true
    return list
  }
  const map = new yaml.YAMLMap()
  map.items = node.entries.map((entry) => new yaml.Pair(keyOf(entry), rebuilt(entry.value, unchanged)))
  if (yaml.isMap(source) && source.comment) map.comment = source.comment
  return map
}

/** Without comments, aliases and merge keys. */
const plainText = (tree: Node): string => yamlText(plainValue(tree))

/**
 * The text of a YAML file with `change` made to its tree. Comments are kept where the result would mean the same; they
 * are lost if, say, the target of an alias is gone.
 */
export const withChange = (source: string, change: (tree: Mapping) => Node): string => {
  const doc = yamlDocument(source)
  if (doc === undefined) return source
  commentsToEntries(doc)
  const tree = treeOfDocument(doc)
  if (tree?.kind !== 'map') return source
  const changed = change(tree)
  if (changed === tree) return source
  try {
    keepAsWritten(doc)
    const contents = rebuilt(changed, nodesOf(tree))
    const first = yaml.isMap(contents) ? contents.items[0]?.key : undefined
    if (yaml.isScalar(first)) first.spaceBefore = false
    // The type wants a node that was parsed; one that was made is as good.
    doc.contents = contents as never
    const text = `${doc.toString(layoutOf(source)).trimEnd()}\n`
    const again = yamlTree(text)
    if (again !== undefined && isDeepStrictEqual(plainValue(again), plainValue(changed))) return text
  } catch {
    // An alias whose anchor is gone.
  }
  return plainText(changed)
}

/** A tree that was not YAML. */
export const asYaml = plainText
