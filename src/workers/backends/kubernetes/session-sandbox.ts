/** Mode `session`: each program is the main process of a pod of its own, made when the program is asked for. */
import { fault } from '../../../shared/codes/fault.ts'
import type { Log } from '../../../shared/log.ts'
import type { Occupant, Program, Running, Sandbox, Stdio } from '../../ports.ts'
import { explained } from '../explain.ts'
import { announcementOf, wordsOf } from '../guest/command.ts'
import type { ForwardPlace } from '../guest/forward-place.ts'
import { canWait, startOf } from '../guest/held.ts'
import { newWord } from '../guest/last-word.ts'
import { createLodgers } from '../guest/lodgers.ts'
import { HELPER, type Plan } from '../guest/plan.ts'
import { orUndo } from '../undo.ts'
import { nameOf } from './create.ts'
import type { Place } from './exec.ts'
import { asApiError, failureLabels } from './failure.ts'
import { writeFiles } from './files.ts'
import { follow } from './follow.ts'
import { forwardPlace } from './forward.ts'
import { type Furnished, furnish, nobodyInside } from './furnish.ts'
import type { Guests } from './guest.ts'
import type { Helper } from './helper.ts'
import { cut, isCut, lastWordFor } from './linger.ts'
import { type Console, consoleCommand, consoleName, type PodRequest, type PodSettings } from './pod.ts'
import { createPump } from './pump.ts'
import { occupantLabels, type Room } from './room.ts'
import { noSubsystem, shuttingDown } from './sandbox.ts'
import { heldCommand, variablesOf } from './script.ts'
import { endIfHopeless, type Look, PodError, statusOf, waitFor } from './wait.ts'

/** @throws Fault */
export function openSessionSandbox(room: Room, guests: Guests, who: Occupant): Sandbox {
  const labels = occupantLabels(who)
  const lodgers = createLodgers(shuttingDown)
  const remove = ({ pod }: Furnished, log: Log): Promise<void> => room.cleanup.remove(nameOf(pod), log)
  return lodgers.sandbox(
    explained(async (program, stdio, signal) => {
      const log = program.log.with(labels)
      const deadline = AbortSignal.timeout(room.settings.timeouts.commandStart)
      const limited = AbortSignal.any([signal, lodgers.closing, deadline])
      const word = isBare(room.settings.pod, program) ? undefined : newWord()
      const requestOf = (plan: Plan): PodRequest => ({ who, console: consoleFor(room, plan, program, word) })
      const look = isAttachable(consoleName(room.settings.pod))
      const making = furnish(room, guests, requestOf, look, log, limited)
      const made = await orUndo(room.cleanup, making, limited, (one) => remove(one, log), shuttingDown)
      const own = log.with({ podName: made.pod.metadata.name })
      const place = placeOf(room, made, program, lodgers.closing)
      const helper = made.helper(place, own)
      const inside = (ended: AbortSignal): ForwardPlace => forwardPlace({ ...place, closing: ended }, helper, own)
      const { open, leave } = lodgers.forwarding.enter(inside, own)
      const over = (): Promise<void> => {
        leave()
        return remove(made, own)
      }
      try {
        await prepare(place, helper, who, program, own, limited)
        const variables = await open(program, limited)
        const running = await attach(place, program, word, variables, stdio, own, limited)
        lodgers.add(running, over)
        return running
      } catch (error) {
        room.cleanup.track(over())
        throw error
      }
    }),
  )
}

const placeOf = (room: Room, { pod, plan }: Furnished, program: Program, closing: AbortSignal): Place => ({
  ...{ room, closing, pod: nameOf(pod), container: consoleName(room.settings.pod) },
  plan: isBare(room.settings.pod, program) ? { ...plan, mode: 'none', agent: undefined } : plan,
})

/** What the program of the pod is. @throws Fault */
function consoleFor(room: Room, plan: Plan, program: Program, word: string | undefined): Console {
  const { pod } = room.settings
  const words = wordsOf(program.what, pod, plan)
  if (words === undefined) throw noSubsystem(program.what)
  if (!canWait(plan) && !isBare(pod, program)) {
    const reason =
      'in session mode a program has to wait for its client, and the image has neither a shell nor an agent'
    throw fault('KUBERNETES_POD_CREATE_FAILED', { reason, why: nobodyInside }, { level: 'error' })
  }
  const env = new Map(variablesOf(new Map(), program).map(split))
  const own = words.length === 0 ? consoleCommand(pod) : words
  const held = word === undefined ? {} : { command: heldCommand(plan, own, program, lastWordFor(plan, program, word)) }
  return { ...held, env, attached: { tty: program.pty !== undefined } }
}

/** While the program waits. @throws Fault */
async function prepare(
  place: Place,
  helper: Helper | undefined,
  who: Occupant,
  { what }: Program,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  const { pod } = place.room.settings
  if (pod.agentMode === 'inject' || wordsOf(what, pod, place.plan)?.[0] === HELPER) await helper?.bring(signal)
  await writeFiles(place, who, log, signal)
}

/** A shell that only the image knows of: nobody can stand in front of it, so it begins before we are there. */
const isBare = (pod: PodSettings, { what }: Program): boolean =>
  what.kind === 'shell' && pod.shellCommand.length === 0 && consoleCommand(pod).length === 0

const split = (variable: string): [string, string] => {
  const at = variable.indexOf('=')
  return [variable.slice(0, at), variable.slice(at + 1)]
}

const isAttachable =
  (container: string): Look<true> =>
  (pod) => {
    const { state } = statusOf(pod, container) ?? {}
    if (state?.running !== undefined) return true
    if (state?.terminated !== undefined) {
      endIfHopeless(pod)
      throw new PodError(state.terminated.message ?? 'it has ended already')
    }
    endIfHopeless(pod)
    return undefined
  }

async function attach(
  place: Place,
  program: Program,
  word: string | undefined,
  variables: ReadonlyMap<string, string>,
  stdio: Stdio,
  log: Log,
  signal: AbortSignal,
): Promise<Running> {
  const { room, pod, container, plan } = place
  const podName = pod.name
  const tty = program.pty !== undefined
  log.emit('KUBERNETES_POD_ATTACH', { podName })
  const stream = await room.api.attach(pod, { container, tty, stdin: true }, signal).catch((thrown: unknown) => {
    const error = asApiError(thrown)
    throw fault('KUBERNETES_EXEC_FAILED', { podName, ...failureLabels(error, 1) }, { cause: error })
  })
  // What the program waits for, before anything that is for the program itself: from here on nothing it says is lost.
  const isHeld = word !== undefined
  const lastWord = isHeld ? lastWordFor(plan, program, word) : undefined
  if (isHeld) stream.write(startOf(plan, program.pty, variables))
  const pump = createPump({
    ...{ stream, tty, lastWord, stdio, log },
    announcement: announcementOf(plan),
    isEchoed: isHeld && tty && !plan.hasShell,
  })
  const code = async (over: AbortSignal): Promise<number | undefined> => {
    const { code: said, error } = await pump.ended
    if (said !== undefined || over.aborted) return said
    // Whoever stays to say the last word has not ended, unless the pod has: then it tells at once.
    const isBroken = lastWord !== undefined && error !== undefined
    const limitMs = isBroken ? brokenMs : room.settings.timeouts.podStop
    const found = await exitCode(place, limitMs, log, over)
    return found !== undefined && isCut(lastWord, said, found) ? unknown(place, new Error(cut), log) : found
  }
  return follow({ place, program, stream, pump, lastWord, log, code })
}

/** For the pod to tell how it ended that took its stream with it. */
const brokenMs = 5000

/** The stream only tells that it is over; the pod tells how. */
async function exitCode(
  { room, pod, container }: Place,
  limitMs: number,
  log: Log,
  over: AbortSignal,
): Promise<number | undefined> {
  const limited = AbortSignal.any([over, AbortSignal.timeout(limitMs)])
  try {
    const from = await room.api.pod(pod, limited)
    if (from === undefined) throw new Error('the pod is gone')
    const look: Look<number> = (one) => statusOf(one, container)?.state?.terminated?.exitCode
    return await waitFor(room.api, pod, from, look, limited)
  } catch (cause) {
    if (over.aborted) return undefined
    return unknown({ pod }, cause as Error, log)
  }
}

function unknown({ pod }: Pick<Place, 'pod'>, cause: Error, log: Log): undefined {
  log.emit('KUBERNETES_EXIT_CODE_FAILED', { podName: pod.name, reason: cause.message }, { cause, level: 'error' })
}
