/** Forwarding in session mode: into the container of the program that was started last and still runs. */
import { asFault, fault } from '../../../shared/codes/fault.ts'
import type { Log } from '../../../shared/log.ts'
import { placeName } from '../../place.ts'
import type { Arrive, Door, Listening, Program } from '../../ports.ts'
import type { Forwarding } from '../agent/forwarding.ts'
import { createGuestForwarding } from './forward.ts'
import type { ForwardPlace } from './forward-place.ts'
import { canBeTold } from './held.ts'

export interface SessionForwarding extends Forwarding {
  /** A container runs. */
  enter(placeOf: (closing: AbortSignal) => ForwardPlace, log: Log): Entered
}

export interface Entered {
  /** Opens what the program was promised. Gives the variables that lead there; what fails is only told. Never rejects. */
  open(program: Program, signal: AbortSignal): Promise<ReadonlyMap<string, string>>
  /** The container has ended, or is about to be removed. */
  leave(): void
}

/**
 * The display or the agent of a program whose container does not exist yet: it is made when the program is started, and
 * then the door can be opened in it.
 */
interface Promised {
  readonly door: Door
  readonly arrive: Arrive
  opened: Listening | undefined
  isClosed: boolean
}

const speechless = 'the program cannot be told: the image has no shell, and its agent takes no variables'
const nobody = 'no program runs, and each has a container of its own'

export function createSessionForwarding(): SessionForwarding {
  const inhabited = new Set<Forwarding>()
  const newest = (): Forwarding | undefined => [...inhabited].at(-1)
  const promises = new WeakMap<Listening, Promised>()
  const promise = (door: Door, arrive: Arrive): Listening => {
    const promised: Promised = { door, arrive, opened: undefined, isClosed: false }
    const listening: Listening = {
      port: 0,
      env: new Map(),
      async [Symbol.asyncDispose]() {
        promised.isClosed = true
        await promised.opened?.[Symbol.asyncDispose]()
      },
    }
    promises.set(listening, promised)
    return listening
  }
  return {
    enter(placeOf, log) {
      const closing = new AbortController()
      const place = placeOf(closing.signal)
      const one = createGuestForwarding(place, log)
      inhabited.add(one)
      return {
        async open({ doors = [] }, signal) {
          const found = doors.flatMap((listening) => promises.get(listening) ?? [])
          const opened = await Promise.all(found.map((promised) => fulfil(promised, one, place, log, signal)))
          return new Map(opened.flatMap((variables) => [...variables]))
        },
        leave() {
          inhabited.delete(one)
          closing.abort()
        },
      }
    },
    dial(target, origin, signal) {
      const refused = fault('SSH_FORWARD_CONNECT_FAILED', { target: placeName(target), reason: nobody })
      return newest()?.dial(target, origin, signal) ?? Promise.reject(refused)
    },
    listen(door, arrive, signal) {
      if (door.kind === 'x11' || door.kind === 'agent') return Promise.resolve(promise(door, arrive))
      const refused = fault('SSH_FORWARD_LISTEN_FAILED', { door: placeName(door), reason: nobody })
      return newest()?.listen(door, arrive, signal) ?? Promise.reject(refused)
    },
  }
}

/** The client believes that it is open: the program goes on without it, as it would without a display. */
async function fulfil(
  promised: Promised,
  forwarding: Forwarding,
  { plan }: ForwardPlace,
  log: Log,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  try {
    if (plan.agent !== undefined && !canBeTold(plan)) {
      throw fault('SSH_FORWARD_LISTEN_FAILED', { door: placeName(promised.door), reason: speechless })
    }
    const opened = await forwarding.listen(promised.door, promised.arrive, signal)
    promised.opened = opened
    if (promised.isClosed) await opened[Symbol.asyncDispose]()
    return opened.env
  } catch (error) {
    log.fault(asFault(error))
    return new Map()
  }
}
