/** Who shares a container with whom: connections with the same name here live in the same one. */
import { createHash } from 'node:crypto'
import type { Member } from '../../ports.ts'
import { launchOf } from './pool-profile.ts'
import type { Room } from './room.ts'

/** Undefined: a container of its own. The same on all workers, and on all servers with the same `instance`. */
export function shareNameOf({ settings, identity }: Room, member: Member): string | undefined {
  const { by } = settings.share
  const value = commonValue(settings.share, member)
  if (value === '') return undefined
  // Whoever has other settings has another container, whatever he is called.
  const what = JSON.stringify([identity.instance, launchOf(settings), by, value])
  return `containerssh_share_${createHash('sha256').update(what).digest('hex').slice(0, 32)}`
}

function commonValue({ by, key, value }: Room['settings']['share'], member: Member): string {
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
