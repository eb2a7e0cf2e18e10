/** Forwarding into a container: by its guest agent; without one, TCP ports are reached by what the image has. */
import type { Duplex } from 'node:stream'
import { type Fault, fault } from '../../../shared/codes/fault.ts'
import type { Log } from '../../../shared/log.ts'
import { type Door, placeName, type Target } from '../../place.ts'
import { createForwarding, type Forwarding } from '../agent/forwarding.ts'
import { launchAgent, NoAgentError } from './forward-agent.ts'
import type { ForwardPlace } from './forward-place.ts'
import { dialByShell } from './forward-shell.ts'

export function createGuestForwarding(place: ForwardPlace, log: Log): Forwarding {
  const { closing, codes } = place
  let { agent } = place.plan
  /** Set when the image turns out to have no agent at the place where the configuration says that it is. */
  let missing = agent === undefined && place.summon === undefined
  const launch = async (signal: AbortSignal) => {
    try {
      agent ??= await place.summon?.(AbortSignal.any([signal, closing]))
      if (agent === undefined) throw new NoAgentError('none can be brought into the container')
      return await launchAgent(place, agent, log, signal)
    } catch (error) {
      if (error instanceof NoAgentError && !missing) {
        missing = true
        place.noAgent?.(error.message)
      }
      throw error
    }
  }
  const forwarding = createForwarding(launch, log, closing)
  const withAgent = async <T>(task: () => Promise<T>, without: () => Promise<T>): Promise<T> => {
    if (missing) return without()
    try {
      return await task()
    } catch (error) {
      if (missing) return without()
      throw error
    }
  }
  const refuse = (target: Target | Door, refusal: Fault): Promise<never> => {
    const reason = 'the container has no guest agent'
    log.emit(codes.forwardingFailed, { target: placeName(target), reason })
    return Promise.reject(refusal)
  }
  return {
    dial: (target, origin, signal) =>
      withAgent(
        () => forwarding.dial(target, origin, signal),
        async () =>
          (await dialWithout(place, target, signal)) ??
          refuse(target, fault('SSH_FORWARD_CONNECT_FAILED', { target: placeName(target), reason: 'no-agent' })),
      ),
    listen: (door, arrive, signal) =>
      withAgent(
        () => forwarding.listen(door, arrive, signal),
        () => refuse(door, fault('SSH_FORWARD_LISTEN_FAILED', { door: placeName(door), reason: 'no-agent' })),
      ),
  }
}

/** Undefined: nobody can do it. @throws Fault SSH_FORWARD_CONNECT_FAILED */
async function dialWithout(place: ForwardPlace, target: Target, signal: AbortSignal): Promise<Duplex | undefined> {
  if (target.kind !== 'tcp') return undefined
  const outside = await place.dialOutside?.(target, signal)
  if (outside !== undefined) return outside
  return place.plan.hasShell ? dialByShell(place, target, signal) : undefined
}
