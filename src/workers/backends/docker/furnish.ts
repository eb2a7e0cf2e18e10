/**
 * Makes a container that fits what is in its image. For an image that was never seen, the container is made as if it
 * had the usual; when a look into it shows that it has not, another one takes its place. No user sees that.
 */
import { isDeepStrictEqual } from 'node:util'
import { asFault, fault } from '../../../shared/codes/fault.ts'
import type { Log } from '../../../shared/log.ts'
import type { Occupant } from '../../ports.ts'
import { type Inside, missingIn, type Plan, planOf } from '../guest/plan.ts'
import { type ContainerExtras, createContainer } from './container.ts'
import type { Image } from './engine.ts'
import { mountOf } from './helper.ts'
import { isProven, startProven } from './prove.ts'
import type { Room } from './room.ts'

export interface Furnished {
  readonly containerId: string
  readonly plan: Plan
  /** Folder for its programs' streams; undefined: the engine has them. */
  readonly streams: string | undefined
}

/** What images have for whose sake this program was written. */
const USUAL: Inside = { agent: true, shell: true, sftp: true, scp: false }

/**
 * Creates it and does not start it. Without an occupant it is one for whoever comes. `image` is undefined when the engine
 * does not have it, which the creation will tell. @throws Fault
 */
export async function furnish(
  room: Room,
  who: Occupant | undefined,
  image: Image | undefined,
  extrasOf: (plan: Plan) => ContainerExtras,
  log: Log,
  signal: AbortSignal,
  deadline: AbortSignal,
): Promise<Furnished> {
  const { execution } = room.settings
  const { id = '', architecture = '' } = image ?? {}
  const withMounts = (plan: Plan): ContainerExtras => ({
    ...extrasOf(plan),
    mounts: plan.volume === undefined ? [] : [mountOf(plan.volume, true)],
  })
  let inside = room.insides.known(id, execution)
  for (;;) {
    const volume = await volumeFor(room, architecture, log)
    const plan = planOf(execution, inside ?? USUAL, volume)
    const extras = withMounts(plan)
    const { containerId, streams } = await createContainer(room, who, extras, log, signal, deadline)
    try {
      const found = inside ?? (await room.insides.look(id, execution, containerId, log, deadline))
      const right = inside === undefined ? planOf(execution, found, volume) : plan
      const fits = right === plan || isDeepStrictEqual(withMounts(right), extras)
      if (fits && (await isFilled(room, right, containerId, id, log, deadline))) {
        tell(room, right, id, log)
        return { containerId, plan: right, streams }
      }
      inside = found
    } catch (error) {
      room.cleanup.track(room.cleanup.remove(containerId, log))
      throw error
    }
    await room.cleanup.remove(containerId, log, true)
  }
}

/** Fills it by `before`, and starts it; another one if its guest agent turns out to be none. @throws Fault */
export async function furnishRunning(
  room: Room,
  who: Occupant | undefined,
  image: Image | undefined,
  extrasOf: (plan: Plan) => ContainerExtras,
  log: Log,
  signal: AbortSignal,
  deadline: AbortSignal,
  { ahead = false, before }: { readonly ahead?: boolean; before?(containerId: string): Promise<void> } = {},
): Promise<Furnished> {
  for (;;) {
    const made = await furnish(room, who, image, extrasOf, log, signal, deadline)
    try {
      await before?.(made.containerId)
      if (await startProven(room, made, image, log, signal, deadline, ahead)) return made
    } catch (error) {
      if (made.streams !== undefined && room.direct.refuses(error, log)) {
        await room.cleanup.remove(made.containerId, log)
        continue
      }
      room.cleanup.track(room.cleanup.remove(made.containerId, log))
      throw error
    }
    await room.cleanup.remove(made.containerId, log, true)
  }
}

/** Of a container that somebody else made of the same settings, and that runs. @throws Fault */
export async function planOfExisting(
  room: Room,
  image: Image | undefined,
  containerId: string,
  log: Log,
  deadline: AbortSignal,
): Promise<Plan> {
  const { execution } = room.settings
  const { id = '', architecture = '' } = image ?? {}
  const volume = await volumeFor(room, architecture, log)
  const plan = planOf(execution, await room.insides.look(id, execution, containerId, log, deadline), volume)
  if (await isProven(room, containerId, plan, image, log, deadline)) return plan
  return planOf(execution, await room.insides.look(id, execution, containerId, log, deadline), volume)
}

/** With `inject` there is no other way; otherwise it goes on without the helper. @throws Fault */
async function volumeFor(room: Room, architecture: string, log: Log): Promise<string | undefined> {
  const { execution } = room.settings
  const isNeeded = execution.agentMode === 'inject'
  try {
    const volume = await room.helpers.volumeFor(execution, architecture)
    if (volume !== undefined || !isNeeded) return volume
  } catch (error) {
    if (isNeeded) throw error
    log.fault(asFault(error))
    return undefined
  }
  const reason = `agentMode is inject, but there is no docker.execution.agentBinary for ${architecture}`
  throw fault('DOCKER_AGENT_INJECT_FAILED', { reason }, { level: 'error' })
}

/** False: the volume cannot be filled, and another plan is needed. @throws Fault */
async function isFilled(
  room: Room,
  { volume }: Plan,
  containerId: string,
  imageId: string,
  log: Log,
  deadline: AbortSignal,
): Promise<boolean> {
  if (volume === undefined) return true
  try {
    await room.helpers.fill(volume, containerId, imageId, log, deadline)
    return true
  } catch (error) {
    if (room.settings.execution.agentMode === 'inject') throw error
    log.fault(asFault(error))
    return false
  }
}

function tell(room: Room, plan: Plan, imageId: string, log: Log): void {
  const { mode } = plan
  const image = room.settings.execution.container.Image ?? ''
  log.emit('DOCKER_GUEST_MODE', { image, agentMode: mode })
  const missing = missingIn(plan)
  if (missing === '' || !room.insides.isNews(imageId, mode, missing)) return
  log.emit('DOCKER_GUEST_AGENT_DISABLED', { image, agentMode: mode, missing })
}
