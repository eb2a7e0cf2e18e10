/**
 * Pods as 0.3 wrote them: keys in lower case, and what the Go types embed one level deeper, under the name of the type
 * in lower case.
 */
import { fieldOf } from '../pod-value.ts'
import type { Problem } from '../problems.ts'
import type { Entry, Node } from '../tree.ts'

/** Names of embedded types whose fields stand directly in the object today. */
const wrappers = ['volumesource', 'handler', 'lifecyclehandler', 'localobjectreference', 'ephemeralcontainercommon']

const flat = (entries: readonly Entry[]): readonly Entry[] =>
  entries.flatMap((entry) =>
    wrappers.includes(entry.key.toLowerCase()) && entry.value.kind === 'map' ? flat(entry.value.entries) : [entry],
  )

const current = (node: Node, kind: string, path: string, warnings: Problem[]): Node => {
  if (node.kind === 'list' && kind.endsWith('[]')) {
    const items = node.items.map((item, index) => current(item, kind.slice(0, -2), `${path}[${index}]`, warnings))
    return { ...node, items }
  }
  if (node.kind !== 'map' || kind === 'map' || kind === 'any') return node
  const entries = flat(node.entries).flatMap((entry) => {
    const field = fieldOf(kind, entry.key)
    if (field !== undefined) {
      return [{ ...entry, key: field.name, value: current(entry.value, field.kind, `${path}.${field.name}`, warnings) }]
    }
    const message = 'is not a key of the Kubernetes API that we know, and is left out'
    warnings.push({ at: entry.at, path: `${path}.${entry.key}`, message })
    return []
  })
  return { ...node, entries }
}

export const currentPodSpec = (node: Node, path: string, warnings: Problem[]): Node =>
  current(node, 'PodSpec', path, warnings)
