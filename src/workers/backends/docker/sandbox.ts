/** Connection mode: one container per connection, made when the user has logged in; each program is an exec in it. */
import { type Fault, fault } from '../../../shared/codes/fault.ts'
import type { Log } from '../../../shared/log.ts'
import type { Occupant, Program, Sandbox, Say } from '../../ports.ts'
import type { Forwarding } from '../agent/forwarding.ts'
import { wordsOf } from './command.ts'
import { orUndo, shuttingDown, startContainer } from './container.ts'
import type { Image } from './engine.ts'
import { memberEnvironment } from './environment.ts'
import { writeFiles } from './files.ts'
import { createDockerForwarding } from './forward.ts'
import { type Furnished, furnish } from './furnish.ts'
import { idling } from './idle.ts'
import { type Place, runProgram } from './program.ts'
import { occupantLabels, type Room } from './room.ts'

/** @throws Fault */
export async function openSandbox(
  room: Room,
  who: Occupant,
  log: Log,
  signal: AbortSignal,
  say?: Say,
): Promise<Sandbox> {
  const warm = await room.pools.claim(room, who, log, signal)
  const make = async (): Promise<Made> =>
    makeContainer(room, who, await room.images.ensure(log, signal, say), log, signal)
  const making = warm === undefined ? make() : moveIn(room, who, warm, log, signal)
  const made = await orUndo(room, making, signal, ({ containerId }) => room.cleanup.remove(containerId, log))
  return createSandbox(room, made, who)
}

interface Made extends Furnished {
  /** What the container was not made with. */
  readonly env: readonly string[]
}

/** Into a container that was made ahead. Never rejects. */
async function moveIn(room: Room, who: Occupant, warm: Furnished, log: Log, signal: AbortSignal): Promise<Made> {
  const deadline = AbortSignal.timeout(room.settings.timeouts.containerStart)
  await writeFiles(room, who, warm.containerId, log, AbortSignal.any([signal, deadline]))
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
  const made = await furnish(room, who, image, idling, log, signal, deadline)
  const { containerId } = made
  try {
    await writeFiles(room, who, containerId, log, AbortSignal.any([signal, deadline]))
    await startContainer(room, containerId, log, signal, deadline)
    return { ...made, env: [] }
  } catch (error) {
    room.cleanup.track(room.cleanup.remove(containerId, log))
    throw error
  }
}

function createSandbox(room: Room, { containerId, plan, env }: Made, who: Occupant): Sandbox {
  const labels = occupantLabels(who)
  const log = who.peer.log.with({ ...labels, containerId })
  const closing = new AbortController()
  let removal: Promise<void> | undefined
  const place: Place = { room, containerId, env, plan, closing: closing.signal }
  let forwarding: Forwarding | undefined
  const forwardingOf = (): Forwarding => {
    forwarding ??= createDockerForwarding(place, log)
    return forwarding
  }
  return {
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
    [Symbol.asyncDispose]() {
      closing.abort()
      removal ??= room.cleanup.remove(containerId, log)
      return removal
    },
  }
}

export function noSubsystem(what: Program['what'], { settings }: Room): Fault {
  const subsystem = what.kind === 'subsystem' ? what.name : ''
  const isConfigured = Object.hasOwn(settings.execution.subsystems, subsystem)
  const reason = isConfigured ? 'our SFTP server is wanted, and it cannot be put into the container' : 'there is none'
  return fault('DOCKER_SUBSYSTEM_NOT_SUPPORTED', { subsystem, reason })
}
