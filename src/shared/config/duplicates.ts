/** Keys that stand twice in one mapping. Looked for before anything moves. */
import type { Problem } from './problems.ts'
import { below, type Spot } from './spot.ts'
import type { Node } from './tree.ts'

export const duplicates = (root: Node): Problem[] => {
  const problems: Problem[] = []
  const walk = (node: Node, spot: Spot): void => {
    if (node.kind === 'list') for (const [index, item] of node.items.entries()) walk(item, below(spot, index))
    if (node.kind !== 'map') return
    const seen = new Set<string>()
    for (const { key, at, value } of node.entries) {
      const child = below(spot, key)
      if (seen.has(key)) problems.push({ at, path: child.spelled, message: 'stands here a second time' })
      seen.add(key)
      walk(value, child)
    }
  }
  walk(root, { path: [], spelled: '' })
  return problems
}
