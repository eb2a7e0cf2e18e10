/** Connection mode: one container per connection, made when the user has logged in; each program is an exec in it. */
import { type Fault, fault } from '../../../shared/codes/fault.ts'
import type { Log } from '../../../shared/log.ts'
import type { Occupant, Program, Sandbox, Say } from '../../ports.ts'
import type { Forwarding } from '../agent/forwarding.ts'
import { wordsOf } from '../guest/command.ts'
import { createGuestForwarding } from '../guest/forward.ts'
import { memberEnvironment } from '../guest/member-environment.ts'
import type { Plan } from '../guest/plan.ts'
import { shareNameOf } from '../share/name.ts'
import { orUndo } from '../undo.ts'
import { type ContainerExtras, shuttingDown } from './container.ts'
import type { Image } from './engine.ts'
import { filesOf, writeEarly } from './files.ts'
import { forwardPlace } from './forward.ts'
import { type Furnished, furnishRunning, planOfExisting } from './furnish.ts'
import { idling } from './idle.ts'
import { writeLate } from './late-files.ts'
import { launchOf } from './profile.ts'
import { type Place, runProgram } from './program.ts'
import type { Make } from './register.ts'
import { label, occupantLabels, type Room } from './room.ts'

/** @throws Fault */
export async function openSandbox(
  room: Room,
  who: Occupant,
  log: Log,
  signal: AbortSignal,
  say?: Say,
): Promise<Sandbox> {
  const { share: sharing } = room.settings
  const share = shareNameOf(sharing, room.identity.instance, launchOf(room.settings), who.member)
  if (share !== undefined) return openShared(room, who, `containerssh_share_${share}`, log, signal, say)
  const warm = await room.pools.claim(room, who, log, signal)
  const make = async (): Promise<Made> =>
    makeContainer(room, who, await room.images.ensure(log, signal, say), log, signal)
  const making = warm === undefined ? make() : moveIn(room, who, warm, log, signal)
  const undo = ({ containerId }: Made): Promise<void> => room.cleanup.remove(containerId, log)
  const made = await orUndo(room.cleanup, making, signal, undo, shuttingDown)
  return createSandbox(room, made, who)
}

/** Into a container that others may be in already. @throws Fault */
async function openShared(
  room: Room,
  who: Occupant,
  share: string,
  log: Log,
  signal: AbortSignal,
  say: Say | undefined,
): Promise<Sandbox> {
  const image = await room.images.ensure(log, signal, say)
  const deadline = AbortSignal.timeout(room.settings.timeouts.containerStart)
  const make: Make = async (name, labels) => {
    const named = (plan: Plan): ContainerExtras => ({ ...idling(plan), name, labels })
    return (await furnishRunning(room, undefined, image, named, log, signal, deadline)).containerId
  }
  const joined = { share, connectionId: who.peer.connectionId, settings: room.settings.share, make }
  const joining = room.shares.join(joined, log, AbortSignal.any([signal, deadline]))
  const { id: containerId, leave } = await orUndo(
    room.cleanup,
    joining,
    signal,
    async (stay) => stay.leave(),
    shuttingDown,
  )
  const [plan, streams] = await Promise.all([
    planOfExisting(room, image, containerId, log, deadline),
    streamsOf(room, containerId, deadline),
  ]).catch((error) => {
    leave()
    throw error
  })
  const moved = await moveIn(room, who, { containerId, plan, streams }, log, signal)
  return createSandbox({ ...room, ends: room.sharedEnds }, { ...moved, leave }, who)
}

/** Of a container that somebody made, perhaps another worker. */
async function streamsOf(
  { engine, settings }: Room,
  containerId: string,
  deadline: AbortSignal,
): Promise<string | undefined> {
  if (!settings.execution.directStreams) return undefined
  // Without an answer the program will tell.
  const found = await engine.findContainer(containerId, deadline).catch(() => undefined)
  return found?.labels[label.streams]
}

interface Made extends Furnished {
  /** What the container was not made with. */
  readonly env: readonly string[]
  /** In place of the container's end. */
  readonly leave?: () => void
}

/** Into a container that runs already. Never rejects. */
async function moveIn(room: Room, who: Occupant, warm: Furnished, log: Log, signal: AbortSignal): Promise<Made> {
  const deadline = AbortSignal.timeout(room.settings.timeouts.containerStart)
  const limited = AbortSignal.any([signal, deadline])
  const files = filesOf(room.settings, who, log)
  await writeEarly(room, warm.containerId, files, log, limited)
  await writeLate(room, warm, files, log, limited)
  return { ...warm, env: memberEnvironment(room.settings.execution, who.member) }
}

async function makeContainer(
  room: Room,
  who: Occupant,
  image: Image | undefined,
  log: Log,
  signal: AbortSignal,
): Promise<Made> {
  const deadline = AbortSignal.timeout(room.settings.timeouts.containerStart)
  const limited = AbortSignal.any([signal, deadline])
  const files = filesOf(room.settings, who, log)
  const before = (containerId: string): Promise<void> => writeEarly(room, containerId, files, log, limited)
  const made = await furnishRunning(room, who, image, idling, log, signal, deadline, { before })
  await writeLate(room, made, files, log, limited)
  return { ...made, env: [] }
}

function createSandbox(room: Room, { containerId, plan, streams, env, leave }: Made, who: Occupant): Sandbox {
  const labels = occupantLabels(who)
  const log = who.peer.log.with({ ...labels, containerId })
  const closing = new AbortController()
  let removal: Promise<void> | undefined
  // In a container that goes on, programs are ended one by one.
  const ended = leave === undefined ? closing.signal : new AbortController().signal
  const place: Place = { room, containerId, env, plan, streams, closing: ended }
  let forwarding: Forwarding | undefined
  const forwardingOf = (): Forwarding => {
    forwarding ??= createGuestForwarding(forwardPlace(room, containerId, plan, closing.signal, log), log)
    return forwarding
  }
  return {
    room: containerId,
    async run(program, stdio, signal) {
      if (closing.signal.aborted) throw shuttingDown(containerId)
      const words = wordsOf(program.what, room.settings.execution, plan)
      if (words === undefined) throw noSubsystem(program.what, room)
      const programLog = program.log.with({ ...labels, containerId })
      try {
        return await runProgram(place, words, program, stdio, programLog, signal)
      } catch (error) {
        throw closing.signal.aborted ? shuttingDown(containerId) : error
      }
    },
    dial: (target, origin, signal) => forwardingOf().dial(target, origin, signal),
    listen: (door, arrive, signal) => forwardingOf().listen(door, arrive, signal),
    async [Symbol.asyncDispose]() {
      closing.abort()
      if (leave !== undefined) return leave()
      removal ??= room.cleanup.remove(containerId, log)
      return removal
    },
  }
}

export function noSubsystem(what: Program['what'], { settings }: Room): Fault {
  // The one command that may be refused.
  const subsystem = what.kind === 'subsystem' ? what.name : 'scp'
  const isConfigured = Object.hasOwn(settings.execution.subsystems, subsystem === 'scp' ? 'sftp' : subsystem)
  const reason = isConfigured ? 'our SFTP server is wanted, and it cannot be put into the container' : 'there is none'
  return fault('DOCKER_SUBSYSTEM_NOT_SUPPORTED', { subsystem, reason })
}
