/** Modes `connection` and `persistent`: one pod, in which each program is an exec. */
import { type Fault, fault } from '../../../shared/codes/fault.ts'
import type { Log } from '../../../shared/log.ts'
import type { Occupant, Program, Sandbox } from '../../ports.ts'
import type { Forwarding } from '../agent/forwarding.ts'
import { explained } from '../explain.ts'
import { wordsOf } from '../guest/command.ts'
import { createGuestForwarding } from '../guest/forward.ts'
import { HELPER } from '../guest/plan.ts'
import { orUndo } from '../undo.ts'
import type { Place } from './exec.ts'
import { writeFiles } from './files.ts'
import { forwardPlace } from './forward.ts'
import type { Guests } from './guest.ts'
import { findHome, type Home } from './home.ts'
import { createDismissals } from './linger.ts'
import { consoleName, environmentOf } from './pod.ts'
import { runProgram } from './program.ts'
import { occupantLabels, type Room } from './room.ts'

/** @throws Fault */
export async function openSandbox(
  room: Room,
  guests: Guests,
  who: Occupant,
  log: Log,
  signal: AbortSignal,
): Promise<Sandbox> {
  const { settings } = room
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(settings.timeouts.podStart)])
  const closing = new AbortController()
  const finding = findHome({ room, guests, who, log, signal: deadline, closing: closing.signal })
  const left = (): Fault => shuttingDown()
  const home = await orUndo(room.cleanup, finding, signal, (found) => found.leave(), left)
  const { pod, plan, helper, isOwn } = home
  // In a pod that goes on, programs are ended one by one.
  const ended = isOwn ? closing.signal : new AbortController().signal
  const place: Place = { room, pod, plan, container: consoleName(settings.pod), closing: ended }
  try {
    if (settings.pod.agentMode === 'inject') await helper?.bring(deadline)
    await writeFiles(place, who, log, deadline)
    return createSandbox(place, who, home, closing)
  } catch (error) {
    room.cleanup.track(home.leave())
    throw error
  }
}

function createSandbox(place: Place, who: Occupant, home: Home, closing: AbortController): Sandbox {
  const { room, pod, plan } = place
  const { settings } = room
  const labels = { ...occupantLabels(who), podName: pod.name }
  const log = who.peer.log.with(labels)
  const login = environmentOf(settings.pod, who)
  const dismissals = createDismissals(place, log, closing.signal)
  let removal: Promise<void> | undefined
  let forwarding: Forwarding | undefined
  const forwardingOf = (): Forwarding => {
    forwarding ??= createGuestForwarding(forwardPlace({ ...place, closing: closing.signal }, home.helper, log), log)
    return forwarding
  }
  return {
    room: pod.name,
    run: explained(async (program, stdio, signal) => {
      if (closing.signal.aborted) throw shuttingDown(pod.name)
      const words = wordsOf(program.what, settings.pod, plan)
      if (words === undefined) throw noSubsystem(program.what)
      try {
        if (words[0] === HELPER) await home.helper?.bring(signal)
        const { add } = dismissals
        return await runProgram(place, words, login, program, stdio, add, program.log.with(labels), signal)
      } catch (error) {
        throw closing.signal.aborted ? shuttingDown(pod.name) : error
      }
    }),
    dial: (target, origin, dialling) => forwardingOf().dial(target, origin, dialling),
    listen: (door, arrive, opening) => forwardingOf().listen(door, arrive, opening),
    [Symbol.asyncDispose]() {
      closing.abort()
      removal ??= dismissals.flush().then(home.leave)
      return removal
    },
  }
}

export const shuttingDown = (podName?: string): Fault => fault('KUBERNETES_POD_SHUTTING_DOWN', { podName })

export const noSubsystem = (what: Program['what']): Fault =>
  fault('KUBERNETES_SUBSYSTEM_NOT_SUPPORTED', { subsystem: what.kind === 'subsystem' ? what.name : '' })
