/** Changing a tree without changing its nodes: entries that move keep their places, and their comments with them. */
import type { Fault } from '../../codes/fault.ts'
import type { Problem } from '../problems.ts'
import type { Entry, Mapping, Node } from '../tree.ts'

export interface Deprecation extends Problem {
  /** The record of it; `line` tells file, place and what to write. */
  readonly record: (line: string) => Fault
}

export interface Migration {
  /** Keys match in any case, as in JSON. */
  readonly anyCase: boolean
  /** The tree is to be printed as a file of today: nothing stays in it that only old files are to have. */
  readonly forPrint: boolean
  readonly problems: Problem[]
  readonly warnings: Problem[]
  readonly deprecations: Deprecation[]
}

export const mapping = (entries: readonly Entry[], at: number): Mapping => ({ kind: 'map', entries, at })
export const entryOf = (key: string, value: string | boolean | readonly string[], at: number): Entry => ({
  key,
  at,
  value:
    typeof value === 'object'
      ? { kind: 'list', items: value.map((item) => ({ kind: 'scalar', value: item, at })), at }
      : { kind: 'scalar', value, at },
})
/** The same entry under another key; `spelled` is its path in the file. */
export const renamed = (entry: Entry, key: string, spelled: string): Entry => ({ ...entry, key, spelled })

export const textOf = (node: Node | undefined): string =>
  node?.kind === 'scalar' && node.value !== null ? String(node.value) : ''
export const isTrue = (node: Node | undefined): boolean => node?.kind === 'scalar' && node.value === true
/** Nothing, null, an empty text or zero: what old programs wrote for "not set". */
export const isUnset = (node: Node | undefined): boolean =>
  node === undefined || (node.kind === 'scalar' && [null, '', 0, '0', '0s'].includes(node.value as string))

export const finder = (anyCase: boolean) => {
  const same = (a: string, b: string): boolean => (anyCase ? a.toLowerCase() === b.toLowerCase() : a === b)
  const find = (node: Node | undefined, key: string): Entry | undefined =>
    node?.kind === 'map' ? node.entries.find((entry) => same(entry.key, key)) : undefined
  const without = (node: Mapping, keys: readonly string[]): Mapping => ({
    ...node,
    entries: node.entries.filter((entry) => !keys.some((key) => same(entry.key, key))),
  })
  /** With the entry in place of the one of its key, or at the end. What stands there and is no mapping is replaced. */
  const put = (node: Mapping, entry: Entry): Mapping => {
    const old = find(node, entry.key)
    if (old === undefined) return { ...node, entries: [...node.entries, entry] }
    const changed = { ...entry, key: old.key }
    return { ...node, entries: node.entries.map((one) => (one === old ? changed : one)) }
  }
  /** The same below a chain of keys, whose mappings are made where there are none. */
  const putAt = (node: Mapping, keys: readonly string[], entry: Entry): Mapping => {
    const [key, ...more] = keys
    if (key === undefined) return put(node, entry)
    const old = find(node, key)
    const inner = old?.value.kind === 'map' ? old.value : mapping([], entry.at)
    return put(node, { ...(old ?? { key, at: entry.at }), value: putAt(inner, more, entry) })
  }
  return { find, without, put, putAt }
}
