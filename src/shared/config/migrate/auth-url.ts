/**
 * The form of `auth` before 0.5: one webhook for both methods, its options directly in the section, and `password` and
 * `pubkey` as switches.
 */
import { fault } from '../../codes/fault.ts'
import type { Entry, Mapping, Node } from '../tree.ts'
import { finder, isUnset, type Migration, mapping, renamed, textOf } from './edit.ts'

const clientKeys = ['url', 'allowRedirects', 'timeout', 'cacert', 'cert', 'key', 'tlsVersion', 'curves', 'cipher']
const legacyKeys = [...clientKeys, 'authTimeout']

const isFlag = (node: Node | undefined): boolean => node?.kind === 'scalar' && typeof node.value === 'boolean'
const isFalse = (node: Node | undefined): boolean => node?.kind === 'scalar' && node.value === false

export const migrateAuthUrl = (tree: Mapping, { anyCase, deprecations }: Migration): Mapping => {
  const { find, without, put } = finder(anyCase)
  const auth = find(tree, 'auth')
  if (auth?.value.kind !== 'map') return tree
  const { value: section } = auth
  const password = find(section, 'password')
  const pubkey = find(section, 'pubkey')
  const url = find(section, 'url')
  const withSection = (value: Mapping): Mapping => put(tree, { ...auth, value })
  const current = isFlag(password?.value) ? without(section, ['password']) : section
  if (url === undefined || isUnset(url.value)) return current === section ? tree : withSection(current)
  const rest = without(current, [...legacyKeys, 'pubkey'])
  const report = (message: string): void => {
    const record = (cause: string) => fault('CONFIG_AUTH_URL_DEPRECATED', {}, { cause })
    deprecations.push({ at: url.at, path: `${auth.key}.${url.key}`, message, record })
  }
  if (textOf(find(find(password?.value, 'webhook')?.value, 'url')?.value) !== '') {
    report('is deprecated and has no effect; auth.password.webhook.url takes precedence')
    return withSection(rest)
  }
  const legacy = section.entries.flatMap((entry) => {
    const key = legacyKeys.find((one) => find({ ...section, entries: [entry] }, one) !== undefined)
    return key === undefined ? [] : [renamed(entry, key, `${auth.key}.${entry.key}`)]
  })
  const method: Entry = { key: 'method', at: url.at, value: { kind: 'scalar', value: 'webhook', at: url.at } }
  const webhook: Entry = { key: 'webhook', at: url.at, value: mapping(legacy, url.at) }
  /** The section with the webhook in it, unless it has a method of its own or is switched off. */
  const translated = (to: Mapping, key: string, isOff: boolean): Mapping => {
    const old = find(rest, key)
    if (isOff || textOf(find(old?.value, 'method')?.value) !== '') return to
    const kept = old?.value.kind === 'map' ? without(old.value, ['method', 'webhook']) : mapping([], url.at)
    const value = { ...kept, entries: [...kept.entries, method, webhook] }
    return put(to, { ...(old ?? { key, at: url.at }), value })
  }
  report('is deprecated; write auth.password.webhook.url and auth.publicKey.webhook.url, with method: webhook')
  return withSection(
    translated(translated(rest, 'password', isFalse(password?.value)), 'publicKey', isFalse(pubkey?.value)),
  )
}
