/**
 * The form of `auth` before 0.5: one webhook for both methods, its options directly in the section, and `password` and
 * `pubkey` as switches. Translated before anything else looks at the tree; each option keeps its place in the file.
 */
import type { Problem } from './problems.ts'
import type { Entry, Mapping, Node } from './tree.ts'

const clientKeys = ['url', 'allowRedirects', 'timeout', 'cacert', 'cert', 'key', 'tlsVersion', 'curves', 'cipher']
const legacyKeys = [...clientKeys, 'authTimeout']

export interface Translated {
  readonly tree: Node
  /** The option that is no longer written so; undefined if none is. */
  readonly deprecated: Problem | undefined
}

const isFlag = (node: Node | undefined): boolean => node?.kind === 'scalar' && typeof node.value === 'boolean'
const isFalse = (node: Node | undefined): boolean => node?.kind === 'scalar' && node.value === false
const textOf = (node: Node | undefined): string =>
  node?.kind === 'scalar' && node.value !== null ? String(node.value) : ''

/** `anyCase`: as in JSON. */
export const translateAuthUrl = (tree: Node, anyCase: boolean): Translated => {
  const same = (a: string, b: string): boolean => (anyCase ? a.toLowerCase() === b.toLowerCase() : a === b)
  const find = (node: Node | undefined, key: string): Entry | undefined =>
    node?.kind === 'map' ? node.entries.find((entry) => same(entry.key, key)) : undefined
  const without = (node: Mapping, keys: readonly string[]): readonly Entry[] =>
    node.entries.filter((entry) => !keys.some((key) => same(entry.key, key)))

  const auth = find(tree, 'auth')
  if (tree.kind !== 'map' || auth?.value.kind !== 'map') return { tree, deprecated: undefined }
  const { value: section } = auth
  const password = find(section, 'password')
  const url = find(section, 'url')
  const put = (entries: readonly Entry[]): Node => {
    const changed: Entry = { ...auth, value: { ...section, entries } }
    return { ...tree, entries: tree.entries.map((entry) => (entry === auth ? changed : entry)) }
  }
  if (url === undefined || textOf(url.value) === '') {
    return { tree: isFlag(password?.value) ? put(without(section, ['password'])) : tree, deprecated: undefined }
  }
  const rest = without(section, isFlag(password?.value) ? [...legacyKeys, 'password'] : legacyKeys)
  const webhookUrl = find(find(password?.value, 'webhook')?.value, 'url')
  const at = { at: url.at, path: `${auth.key}.${url.key}` }
  if (textOf(webhookUrl?.value) !== '') {
    const message = 'is deprecated and has no effect; auth.password.webhook.url takes precedence'
    return { tree: put(rest), deprecated: { ...at, message } }
  }
  const legacy = section.entries.filter((entry) => legacyKeys.some((key) => same(entry.key, key)))
  const entry = (key: string, value: Node): Entry => ({ key, at: url.at, value })
  const method = entry('method', { kind: 'scalar', value: 'webhook', at: url.at })
  const webhook = entry('webhook', { kind: 'map', entries: legacy, at: url.at })
  /** The section with the webhook in it, unless it has a method of its own or is switched off. */
  const translated = (key: string, isOff: boolean): readonly Entry[] => {
    const old = find({ ...section, entries: rest }, key)
    if (isOff || textOf(find(old?.value, 'method')?.value) !== '') return old === undefined ? [] : [old]
    const kept = old?.value.kind === 'map' ? without(old.value, ['method', 'webhook']) : []
    return [{ ...entry(key, { kind: 'map', entries: [...kept, method, webhook], at: url.at }), key: old?.key ?? key }]
  }
  const entries = [
    ...without({ ...section, entries: rest }, ['password', 'publicKey']),
    ...translated('password', isFalse(password?.value)),
    ...translated('publicKey', isFalse(find(section, 'pubkey')?.value)),
  ]
  const message = 'is deprecated; write auth.password.webhook.url and auth.publicKey.webhook.url, with method: webhook'
  return { tree: put(entries), deprecated: { ...at, message } }
}
