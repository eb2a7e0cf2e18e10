/** Forwarding in session mode: into the container of the program that was started last and still runs. */
import { fault } from '../../../shared/codes/fault.ts'
import type { Log } from '../../../shared/log.ts'
import { placeName } from '../../place.ts'
import type { Forwarding } from '../agent/forwarding.ts'
import { createGuestForwarding } from './forward.ts'
import type { ForwardPlace } from './forward-place.ts'

export interface SessionForwarding extends Forwarding {
  /** A container runs. Returns what is to be called when it has ended, or is about to be removed. */
  enter(placeOf: (closing: AbortSignal) => ForwardPlace, log: Log): () => void
}

const nobody = 'no program runs, and each has a container of its own'
/** The program that would use the display or the agent runs in a container that is made when the program is started. */
const tooEarly = 'the container of the program does not exist yet (mode: session)'

export function createSessionForwarding(): SessionForwarding {
  const inhabited = new Set<Forwarding>()
  const newest = (): Forwarding | undefined => [...inhabited].at(-1)
  return {
    enter(placeOf, log) {
      const closing = new AbortController()
      const one = createGuestForwarding(placeOf(closing.signal), log)
      inhabited.add(one)
      return () => {
        inhabited.delete(one)
        closing.abort()
      }
    },
    dial(target, origin, signal) {
      const refused = fault('SSH_FORWARD_CONNECT_FAILED', { target: placeName(target), reason: nobody })
      return newest()?.dial(target, origin, signal) ?? Promise.reject(refused)
    },
    listen(door, arrive, signal) {
      const isOfProgram = door.kind === 'x11' || door.kind === 'agent'
      const refused = fault('SSH_FORWARD_LISTEN_FAILED', {
        door: placeName(door),
        reason: isOfProgram ? tooEarly : nobody,
      })
      const forwarding = isOfProgram ? undefined : newest()
      return forwarding?.listen(door, arrive, signal) ?? Promise.reject(refused)
    },
  }
}
