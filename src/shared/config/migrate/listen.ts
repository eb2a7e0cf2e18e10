/** `listen` at the top level, until 0.4. */
import { fault } from '../../codes/fault.ts'
import type { Mapping } from '../tree.ts'
import { finder, isUnset, type Migration, renamed, textOf } from './edit.ts'

const preset = '0.0.0.0:2222'

export const migrateListen = (tree: Mapping, { anyCase, deprecations }: Migration): Mapping => {
  const { find, without, putAt } = finder(anyCase)
  const old = find(tree, 'listen')
  if (old === undefined) return tree
  const rest = without(tree, ['listen'])
  if (isUnset(old.value)) return rest
  const report = (message: string): void => {
    const record = (cause: string) => fault('CONFIG_LISTEN_DEPRECATED', {}, { cause })
    deprecations.push({ at: old.at, path: old.key, message, record })
  }
  const current = find(find(tree, 'ssh')?.value, 'listen')?.value
  if (!isUnset(current) && textOf(current) !== preset) {
    report('is deprecated and has no effect; ssh.listen takes precedence')
    return rest
  }
  report(`is deprecated; write ssh: {listen: ${JSON.stringify(textOf(old.value))}}`)
  return putAt(rest, ['ssh'], renamed(old, 'listen', old.key))
}
