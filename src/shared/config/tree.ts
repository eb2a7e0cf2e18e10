/**
 * A configuration file as a tree of nodes that know where they stand. Both readers (`yaml-tree.ts`, `json-tree.ts`)
 * make it, `shape.ts` reads it.
 */

export interface Scalar {
  readonly kind: 'scalar'
  readonly value: string | number | boolean | null
  /** The characters in the file, for unquoted YAML scalars: `0123` is a number, and may be meant as a text. */
  readonly plain?: string
  /** Offset in the file, counted in UTF-16 units. */
  readonly at: number
  /** What the reader made it from, for whoever writes it back with its comments; the same in the other nodes. */
  readonly source?: unknown
}
export interface Sequence {
  readonly kind: 'list'
  readonly items: readonly Node[]
  readonly at: number
  readonly source?: unknown
}
export interface Entry {
  readonly key: string
  readonly at: number
  /** Its path in the file, if it stands elsewhere there. */
  readonly spelled?: string
  readonly value: Node
  readonly source?: unknown
}
export interface Mapping {
  readonly kind: 'map'
  /** A key may stand here twice. */
  readonly entries: readonly Entry[]
  readonly at: number
  readonly source?: unknown
}
export type Node = Scalar | Sequence | Mapping

/** The file is not a tree. `at` as in the nodes. */
export class TreeError extends Error {
  readonly at: number
  constructor(message: string, at: number) {
    super(message)
    this.at = at
  }
}

/** Deeper nesting, or more nodes, than any honest configuration has. */
export const deepest = 100
export const mostNodes = 100_000

/** The node without its places: what `JSON.parse` would give. */
export const plainValue = (node: Node): unknown => {
  if (node.kind === 'scalar') return node.value
  if (node.kind === 'list') return node.items.map(plainValue)
  // fromEntries defines properties: a key `__proto__` is a key like any other.
  return Object.fromEntries(node.entries.map((entry) => [entry.key, plainValue(entry.value)]))
}
