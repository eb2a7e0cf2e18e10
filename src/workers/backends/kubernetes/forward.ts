/** Forwarding is refused: this room does not yet run the guest agent that would do it. */
import { fault } from '../../../shared/codes/fault.ts'
import type { Log } from '../../../shared/log.ts'
import { type Door, placeName, type Target } from '../../place.ts'
import type { Sandbox } from '../../ports.ts'

const reason = 'this room runs no guest agent for it'

export const noForwarding = (log: Log): Pick<Sandbox, 'dial' | 'listen'> => {
  const tell = (place: Target | Door): string => {
    const target = placeName(place)
    log.emit('KUBERNETES_FORWARDING_FAILED', { target, reason })
    return target
  }
  return {
    dial: async (target) => {
      throw fault('SSH_FORWARD_CONNECT_FAILED', { target: tell(target), reason: 'no-agent' })
    },
    listen: async (door) => {
      throw fault('SSH_FORWARD_LISTEN_FAILED', { door: tell(door), reason: 'no-agent' })
    },
  }
}
