/**
 * Forwarding into a container by its guest agent: one process for all that is dialled, one for each place that is
 * listened at, each started when the first needs it. Nothing here knows which room it is.
 */
import type { Duplex } from 'node:stream'
import { Fault, fault } from '../../../shared/codes/fault.ts'
import type { Log } from '../../../shared/log.ts'
import { type Arrive, type Door, type Listening, type Origin, placeName, type Target } from '../../place.ts'
import { type Agents, begin, endDoor, openDoor, portOf, variablesOf } from './door.ts'
import { type Link, RefusedError } from './link.ts'
import type { Launch } from './process.ts'

export interface Forwarding {
  /** @throws Fault SSH_FORWARD_CONNECT_FAILED, or that of the launch */
  dial(target: Target, origin: Origin, signal: AbortSignal): Promise<Duplex>
  /** @throws Fault SSH_FORWARD_LISTEN_FAILED, or that of the launch */
  listen(door: Door, arrive: Arrive, signal: AbortSignal): Promise<Listening>
}

/** `closing`: the container is about to be removed; nothing has to be tidied up in it any more. */
export function createForwarding(launch: Launch, log: Log, closing: AbortSignal): Forwarding {
  const agents: Agents = { launch, log, closing }
  let dialling: Promise<Link> | undefined

  /** Shared by all that dial, so nobody's own signal ends it. */
  const dialLink = async (): Promise<Link> => {
    const before = dialling
    const known = await before?.catch(() => undefined)
    if (known !== undefined && !known.over) return known
    // Others may have waited for the same.
    if (dialling === before) dialling = begin(agents, undefined, undefined, closing).then(({ link }) => link)
    return dialling ?? dialLink()
  }
  return {
    async dial(target, origin, signal) {
      try {
        const link = await abandoned(dialLink(), signal)
        return await link.dial(target, origin, signal)
      } catch (error) {
        throw asRefusal(error, (reason) => fault('SSH_FORWARD_CONNECT_FAILED', { target: placeName(target), reason }))
      }
    },
    async listen(door, arrive, signal) {
      try {
        const opened = await openDoor(agents, door, (stream, origin) => arrive(door, stream, origin), signal)
        return {
          port: portOf(door, opened),
          env: variablesOf(door, opened),
          [Symbol.asyncDispose]: async () => endDoor(agents, opened),
        }
      } catch (error) {
        throw asRefusal(error, (reason) => fault('SSH_FORWARD_LISTEN_FAILED', { door: placeName(door), reason }))
      }
    },
  }
}

/** Faults keep their code; whoever left is told nothing any more. */
function asRefusal(error: unknown, make: (reason: string) => Fault): unknown {
  if (error instanceof Fault) return error
  return make(error instanceof RefusedError ? error.message : 'it was given up')
}

/** Waits for what others wait for, too, until the signal. */
function abandoned<T>(shared: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const left = (): void => reject(signal.reason)
    if (signal.aborted) left()
    signal.addEventListener('abort', left, { once: true })
    shared.then(resolve, reject).finally(() => signal.removeEventListener('abort', left))
  })
}
