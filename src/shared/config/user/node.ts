/** A JSON value as a tree of nodes, for the reader of files. Its nodes have no places: paths have to do. */
import { deepest, mostNodes, type Node } from '../tree.ts'

/** @throws Error with a sentence about a value that is larger than any honest one */
export function nodeOf(value: unknown): Node {
  let nodes = 0
  const walk = (inner: unknown, depth: number): Node => {
    nodes += 1
    if (depth > deepest) throw new Error('is nested too deeply')
    if (nodes > mostNodes) throw new Error('has too many values')
    if (Array.isArray(inner)) return { kind: 'list', items: inner.map((item) => walk(item, depth + 1)), at: 0 }
    if (typeof inner === 'object' && inner !== null) {
      const entries = Object.entries(inner).map(([key, child]) => ({ key, at: 0, value: walk(child, depth + 1) }))
      return { kind: 'map', entries, at: 0 }
    }
    // What JSON has besides objects and lists.
    return { kind: 'scalar', value: inner as string | number | boolean | null, at: 0 }
  }
  return walk(value, 0)
}

/** Nothing but zero values, all the way down. */
export const isZeroNode = (node: Node): boolean => {
  if (node.kind === 'map') return node.entries.every(({ value }) => isZeroNode(value))
  if (node.kind === 'list') return node.items.length === 0
  return [null, '', 0, false].includes(node.value)
}
