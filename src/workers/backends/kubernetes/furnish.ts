/**
 * Makes a pod that fits what is in its image. For an image that was never seen, a pod is made as if it were complete; when
 * that does not start, or a look into it shows that it is not, another one takes its place. No user sees that.
 */
import { isDeepStrictEqual } from 'node:util'
import { Fault, fault } from '../../../shared/codes/fault.ts'
import type { Log } from '../../../shared/log.ts'
import { SHELL } from '../guest/command.ts'
import { missingIn, type Plan } from '../guest/plan.ts'
import type { Pod } from './api.ts'
import { makePod, nameOf } from './create.ts'
import type { Spot } from './exec.ts'
import { asApiError, failureLabels } from './failure.ts'
import type { Found, Guests } from './guest.ts'
import { createHelper, type Helper, noWay, planFor, type Way, wayOf } from './helper.ts'
import { type Console, consoleImage, consoleName, type PodRequest, type PodSettings } from './pod.ts'
import type { Room } from './room.ts'
import { type Look, PodError } from './wait.ts'

export interface Furnished {
  readonly pod: Pod
  readonly plan: Plan
  /** Undefined: our guest agent cannot be brought there. */
  helper(spot: Spot, log: Log): Helper | undefined
}

/** @throws Fault */
export async function furnish(
  room: Room,
  guests: Guests,
  requestOf: (plan: Plan) => PodRequest,
  look: Look<true>,
  log: Log,
  signal: AbortSignal,
): Promise<Furnished> {
  const settings = room.settings.pod
  const way = await wayOf(settings, guests.binaries, log)
  const wanted = (found: Found): { readonly plan: Plan; readonly request: PodRequest } => {
    if (settings.agentMode === 'inject' && (way === undefined || (way === 'late' && !found.shell))) throw noWay()
    const plan = planFor(settings, found, way)
    return { plan, request: withHelper(requestOf(plan), settings, plan, way) }
  }
  let known = guests.known(settings)
  for (let guess = known ?? complete(settings, way); ; ) {
    const { plan, request } = wanted(guess)
    const pod = await makePod(room, request, look, log, signal).catch((error: unknown) => {
      const worse = lessThan(guess, plan, request.console, error)
      if (worse === undefined) throw error
      log.fault(error as Fault, 'debug') // what makes it one is its cause
      guests.forget(settings)
      guess = worse
      return undefined
    })
    if (pod === undefined) {
      known = undefined
      continue
    }
    const spot = { room, pod: nameOf(pod), container: consoleName(settings), closing: signal }
    try {
      const found = { ...(known ?? (await seen(guests, spot, log, signal, guess))), helper: false }
      // It was made with our agent, and keeps it.
      const here = plan.mode === 'inject' ? { ...found, agent: false } : found
      if (known !== undefined || isDeepStrictEqual(wanted(here).request, request)) {
        const right = known === undefined ? wanted(here).plan : plan
        tell(guests, settings, right, log)
        const isThere = way === 'init' && right.volume !== undefined
        return { pod, plan: right, helper: helperBy(guests, { ...found, helper: isThere }, way) }
      }
      known = found
      guess = found
    } catch (error) {
      room.cleanup.track(room.cleanup.remove(spot.pod, log))
      throw error
    }
    await room.cleanup.remove(spot.pod, log)
  }
}

/** Of a pod that somebody else has made. @throws Fault */
export async function furnishExisting(
  guests: Guests,
  spot: Spot,
  log: Log,
  signal: AbortSignal,
): Promise<Omit<Furnished, 'pod'>> {
  const settings = spot.room.settings.pod
  const found = await seen(guests, spot, log, signal)
  const way = found.helper ? 'init' : await wayOf({ ...settings, agentImage: '' }, guests.binaries, log)
  const helper = helperBy(guests, found, way)
  if (settings.agentMode === 'inject' && helper(spot, log) === undefined) throw noWay()
  const plan = planFor(settings, found, way)
  tell(guests, settings, plan, log)
  return { plan, helper }
}

/** `guess`: what the pod was made for. */
async function seen(guests: Guests, spot: Spot, log: Log, signal: AbortSignal, guess?: Found): Promise<Found> {
  try {
    return await guests.look(spot, log, signal)
  } catch (cause) {
    const error = asApiError(cause)
    // Who only attaches to pods of one program each may do without the right to exec.
    if (guess !== undefined && error.statusCode === 403 && spot.room.settings.pod.mode === 'session') return guess
    throw fault('KUBERNETES_EXEC_FAILED', { podName: spot.pod.name, ...failureLabels(error, 1) }, { cause })
  }
}

const complete = ({ disableAgent }: PodSettings, way: Way): Found => ({
  shell: true,
  sftp: true,
  scp: true,
  // Ours is sure to be there, so the pod will start.
  agent: way !== 'init' && !disableAgent,
  helper: false,
  architecture: 'amd64',
})

const helperBy =
  (guests: Guests, found: Found, way: Way): Furnished['helper'] =>
  (spot, log) =>
    createHelper(spot, found, way, guests.binaries, log)

function withHelper(request: PodRequest, { agentImage }: PodSettings, plan: Plan, way: Way): PodRequest {
  if (way === undefined || (way === 'init' && plan.volume === undefined)) return request
  return { ...request, console: { ...request.console, helper: { image: agentImage } } }
}

/**
 * For a pod that is made and used by many, none of whom can make another one: an image that was never seen is believed to
 * have a shell, and not to have an agent. @throws Fault
 */
export async function commonRequest(room: Room, guests: Guests, log: Log): Promise<Pick<PodRequest, 'console'>> {
  const { pod } = room.settings
  const way = await wayOf(pod, guests.binaries, log)
  const guess = guests.known(pod) ?? { ...complete(pod, way), agent: pod.agentMode === 'image' }
  const plan = planFor(pod, { ...guess, helper: false }, way)
  return withHelper({ console: idling(plan) }, pod, plan, way)
}

export const nobodyInside = 'there is neither a shell nor an agent in its image'

/** Only stays alive, for the programs that are started in it. @throws Fault when nothing can keep it alive */
export function idling({ idle }: Plan): Console {
  if (idle !== undefined) return { command: idle }
  const reason =
    'the image has neither the guest agent nor a shell: give it an idleCommand, an agentImage, or use mode: session'
  throw fault('KUBERNETES_POD_CREATE_FAILED', { reason, why: nobodyInside }, { level: 'error' })
}

/** Undefined: the failure has another reason than what the image lacks. */
function lessThan(guess: Found, plan: Plan, { command = [] }: Console, error: unknown): Found | undefined {
  const cause = error instanceof Fault ? error.cause : undefined
  if (!(cause instanceof PodError) || !cause.isUnstartable) return undefined
  if (plan.mode === 'image' && command[0] === plan.agent?.[0] && guess.agent) return { ...guess, agent: false }
  return guess.shell && command[0] === SHELL ? { ...guess, shell: false, sftp: false, scp: false } : undefined
}

function tell(guests: Guests, settings: PodSettings, plan: Plan, log: Log): void {
  const image = consoleImage(settings)
  const { mode } = plan
  log.emit('KUBERNETES_GUEST_MODE', { image, agentMode: mode })
  const missing = missingIn(plan)
  if (missing === '' || !guests.isNews(image, mode, missing)) return
  log.emit('KUBERNETES_GUEST_AGENT_DISABLED', { image, agentMode: mode, missing })
}
