/** Who shares with whom: connections with the same name here live in the same container or pod. */
import { createHash } from 'node:crypto'
import type { Member } from '../../ports.ts'
import type { ShareSettings } from './register.ts'

/**
 * 32 hex digits; undefined: one of its own. The same on all workers, and on all servers with the same `instance`. Whoever
 * has other settings, which `launch` tells, has another one, whatever he is called.
 */
export function shareNameOf(
  settings: ShareSettings,
  instance: string,
  launch: string,
  member: Member,
): string | undefined {
  const value = commonValue(settings, member)
  if (value === '') return undefined
  const what = JSON.stringify([instance, launch, settings.by, value])
  return createHash('sha256').update(what).digest('hex').slice(0, 32)
}

function commonValue({ by, key, value }: ShareSettings, member: Member): string {
  switch (by) {
    case 'none':
      return ''
    case 'user':
      return member.authenticatedUsername || member.username
    case 'metadata':
      return member.metadata.get(key)?.value ?? ''
    case 'value':
      return value
  }
}
