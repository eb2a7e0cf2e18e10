/** JSON files may write keys in any case; YAML files may not. */
import type * as z from 'zod'
import { core } from './shape.ts'
import type { Node } from './tree.ts'

interface Def {
  readonly shape?: Readonly<Record<string, z.ZodType>>
  readonly element?: z.ZodType
  readonly valueType?: z.ZodType
}

/** The tree with the keys in the schema's spelling. What the schema does not know stays. */
export const canonical = (node: Node, declared: z.ZodType | undefined): Node => {
  if (declared === undefined || node.kind === 'scalar') return node
  const { shape, element, valueType } = core(declared).schema.def as Def
  if (node.kind === 'list') return { ...node, items: node.items.map((item) => canonical(item, element)) }
  const names = new Map(Object.keys(shape ?? {}).map((name) => [name.toLowerCase(), name]))
  const entries = node.entries.map((entry) => {
    const key = names.get(entry.key.toLowerCase()) ?? entry.key
    return { ...entry, key, value: canonical(entry.value, shape?.[key] ?? valueType) }
  })
  return { ...node, entries }
}
