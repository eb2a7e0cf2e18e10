/** Connection mode: one sandbox per connection, made when the user has logged in; its first process starts the programs. */
import { type Fault, fault } from '../../../shared/codes/fault.ts'
import type { Log } from '../../../shared/log.ts'
import type { Occupant, Program, Sandbox } from '../../ports.ts'
import type { Forwarding } from '../agent/forwarding.ts'
import { wordsOf } from '../guest/command.ts'
import { createGuestForwarding } from '../guest/forward.ts'
import { orUndo } from '../undo.ts'
import { placeEnvironment } from './environment.ts'
import { type Place, runProgram } from './exec.ts'
import { writeFiles } from './files.ts'
import { forwardPlace } from './helper.ts'
import { type Init, openInit } from './init.ts'
import { occupantLabels, type Room } from './room.ts'

/** @throws Fault */
export async function openSandbox(room: Room, who: Occupant, log: Log, signal: AbortSignal): Promise<Sandbox> {
  const making = makePlace(room, who, log, signal)
  const place = await orUndo(room.cleanup, making, signal, ({ init }: Place) => init.end(), shuttingDown)
  return createSandbox(room, place, who)
}

/** A sandbox with the user's files in it. @throws Fault */
export async function makePlace(room: Room, who: Occupant, log: Log, signal: AbortSignal): Promise<Place> {
  const { settings } = room
  const init = await openInit(room, who.peer.connectionId, log, signal)
  const place = { init, settings, env: placeEnvironment(settings, who.member) }
  await writeFiles(room, place, who.member.files, log, signal)
  return place
}

function createSandbox(room: Room, place: Place, who: Occupant): Sandbox {
  const { init } = place
  const labels = { ...occupantLabels(who), sandboxId: init.id }
  const log = who.peer.log.with(labels)
  let forwarding: Forwarding | undefined
  const forwardingOf = (): Forwarding => {
    forwarding ??= createGuestForwarding(forwardPlace(room, place, init.closing, log), log)
    return forwarding
  }
  return {
    async run(program, stdio, signal) {
      refuseAfterEnd(init)
      const words = wordsFor(room, program.what)
      try {
        return await runProgram(place, words, program, stdio, program.log.with(labels), signal)
      } catch (error) {
        throw init.closing.aborted ? shuttingDown() : error
      }
    },
    dial: (target, origin, signal) => forwardingOf().dial(target, origin, signal),
    listen: (door, arrive, signal) => forwardingOf().listen(door, arrive, signal),
    [Symbol.asyncDispose]: () => init.end(),
  }
}

/** @throws Fault */
function refuseAfterEnd({ closing }: Init): void {
  if (closing.aborted) throw shuttingDown()
}

export const shuttingDown = (): Fault => fault('SANDBOX_SHUTTING_DOWN', {})

/** @throws Fault SANDBOX_SUBSYSTEM_NOT_SUPPORTED */
export function wordsFor({ settings, plan }: Room, what: Program['what']): readonly string[] {
  const words = wordsOf(what, settings, plan)
  if (words !== undefined) return words
  // The one command that may be refused.
  throw fault('SANDBOX_SUBSYSTEM_NOT_SUPPORTED', { subsystem: what.kind === 'subsystem' ? what.name : 'scp' })
}
