/** `permitopen` and `permitlisten` of an authorized key: sshd(8), AUTHORIZED_KEYS FILE FORMAT. */
import type { Place } from '../../../shared/key-options.ts'
import { matcherOf } from '../../../shared/pattern.ts'
import type { Door, Target } from '../../ports.ts'

/** Names are compared as they are written: nothing is looked up. A list of TCP places holds no socket's path. */
export const mayOpen = (places: readonly Place[] | undefined, target: Target): boolean =>
  places === undefined ||
  (target.kind === 'tcp' &&
    places.some(({ host, port }) => (host === '*' || host === target.host) && (port ?? target.port) === target.port))

export const mayListen = (places: readonly Place[] | undefined, door: Door): boolean => {
  if (places === undefined) return true
  if (door.kind !== 'tcp') return false
  const name = door.host.toLowerCase()
  const fits = ({ host, port }: Place): boolean =>
    (port ?? door.port) === door.port && matcherOf({ glob: host.toLowerCase() })(name)
  return places.some(fits)
}
