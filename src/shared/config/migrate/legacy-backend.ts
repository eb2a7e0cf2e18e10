/** What `dockerrun` and `kuberun`, the backends until 0.4, have in common. */
import { nearest } from '../problems.ts'
import type { Entry, Mapping, Node } from '../tree.ts'
import { entryOf, finder, isUnset, type Migration, renamed, textOf } from './edit.ts'

export interface LegacyBackend {
  readonly name: 'dockerrun' | 'kuberun'
  readonly successor: 'docker' | 'kubernetes'
  /** The backend of files that name none. */
  readonly isPreset?: boolean
  /** What the section says in the new form; that commands are disabled, by an option of its own unless it is printed. */
  translate(section: Mapping, at: number, migration: Migration): Mapping
  /** Commands and subsystems are refused. */
  isCommandDisabled(section: Mapping): boolean
  report(section: Mapping, entry: Entry, migration: Migration): void
}

/** Old files were read without regard to case, or are in lower case. */
export const legacy = finder(true)

export const page = (name: string): string => `https://containerssh.io/deprecations/${name}`

/** The entries of a section under their new keys; the others are problems, or warnings where old versions ignored them. */
export const moved = (
  node: Node | undefined,
  keys: Readonly<Record<string, string>>,
  path: string,
  complain: (entry: Entry, path: string, message: string) => void,
): Entry[] => {
  if (node === undefined || (node.kind === 'scalar' && node.value === null)) return []
  if (node.kind !== 'map') {
    complain({ key: '', at: node.at, value: node }, path, 'is not a mapping')
    return []
  }
  const known = new Map(Object.entries(keys).map(([old, key]) => [old.toLowerCase(), key]))
  return node.entries.flatMap((entry) => {
    const key = known.get(entry.key.toLowerCase())
    if (key !== undefined) return key === '' ? [] : [renamed(entry, key, `${path}.${entry.key}`)]
    const meant = nearest(entry.key, Object.keys(keys))
    const hint = meant === undefined ? '' : `; did you mean ${meant}?`
    complain(entry, `${path}.${entry.key}`, `is not a known option${hint}`)
    return []
  })
}

/** An entry for each key with the time of the old one, if that was set. */
export const times = (entry: Entry | undefined, path: string, keys: readonly string[]): Entry[] =>
  entry === undefined || isUnset(entry.value)
    ? []
    : keys.map((key) => renamed({ ...entry, source: undefined }, key, `${path}.${entry.key}`))

/** The option that has the old code for what is refused; a file of today says it in `security`. */
export const disabledCommand = (old: LegacyBackend, section: Mapping, at: number, { forPrint }: Migration): Entry[] =>
  old.isCommandDisabled(section) && !forPrint ? [entryOf('disableCommand', true, at)] : []

export const migrateBackend = (tree: Mapping, old: LegacyBackend, migration: Migration): Mapping => {
  const { find, without, put, putAt } = finder(migration.anyCase)
  const backend = find(tree, 'backend')
  const section = find(tree, old.name)
  const named = textOf(backend?.value)
  const isChosen = named === old.name
  const isImplied = named === '' && old.isPreset === true && section !== undefined && !find(tree, old.successor)
  const at = section?.at ?? backend?.at ?? 0
  if (!isChosen && !isImplied) {
    if (section === undefined) return tree
    const message = `has no effect and is no longer known, because backend is ${named === '' ? 'docker' : named}`
    migration.warnings.push({ at, path: section.key, message })
    return without(tree, [old.name])
  }
  const value: Mapping =
    section?.value.kind === 'map' ? section.value : { kind: 'map', entries: [], at: section?.value.at ?? at }
  if (section !== undefined && section.value.kind !== 'map' && !isUnset(section.value)) {
    migration.problems.push({ at: section.value.at, path: section.key, message: 'is not a mapping' })
  }
  const ignored = find(tree, old.successor)
  if (ignored !== undefined) {
    migration.warnings.push({ at: ignored.at, path: ignored.key, message: `has no effect next to ${old.name}` })
  }
  old.report(value, section ?? backend ?? entryOf(old.name, '', at), migration)
  const place = { ...(section ?? { at }), key: old.successor, value: old.translate(value, at, migration) }
  let result = without(tree, [old.successor])
  result = {
    ...result,
    entries: result.entries.map((entry) => (entry === section ? place : entry)),
  }
  if (section === undefined) result = put(result, place)
  result = put(result, { ...(backend ?? {}), ...entryOf('backend', old.successor, backend?.at ?? at) })
  if (!old.isCommandDisabled(value) || !migration.forPrint) return result
  const disabled = entryOf('mode', 'disable', at)
  return putAt(putAt(result, ['security', 'command'], disabled), ['security', 'subsystem'], disabled)
}
