/** Connection mode: one container per connection, made when the user has logged in; each program is an exec in it. */
import { type Fault, fault } from '../../../shared/codes/fault.ts'
import type { Log } from '../../../shared/log.ts'
import { placeName } from '../../place.ts'
import type { Door, Occupant, Program, Sandbox, Say, Target } from '../../ports.ts'
import { wordsOf } from './command.ts'
import { createContainer, orUndo, shuttingDown, startContainer } from './container.ts'
import { memberEnvironment } from './environment.ts'
import { writeFiles } from './files.ts'
import type { Announcement } from './header.ts'
import { idleCommand } from './idle.ts'
import type { Warm } from './pool.ts'
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
  if (warm === undefined) await room.images.ensure(log, signal, say)
  const making = warm === undefined ? makeContainer(room, who, log, signal) : moveIn(room, who, warm, log, signal)
  const made = await orUndo(room, making, signal, ({ containerId }) => room.cleanup.remove(containerId, log))
  return createSandbox(room, made, who)
}

interface Made {
  readonly containerId: string
  /** Looked up while the container starts. */
  readonly hasShell: boolean
  /** What the container was not made with. */
  readonly env: readonly string[]
}

/** Into a container that was made ahead. Never rejects. */
async function moveIn(room: Room, who: Occupant, warm: Warm, log: Log, signal: AbortSignal): Promise<Made> {
  const deadline = AbortSignal.timeout(room.settings.timeouts.containerStart)
  await writeFiles(room, who, warm.containerId, log, AbortSignal.any([signal, deadline]))
  return { ...warm, env: memberEnvironment(room.settings.execution, who.member) }
}

async function makeContainer(room: Room, who: Occupant, log: Log, signal: AbortSignal): Promise<Made> {
  const deadline = AbortSignal.timeout(room.settings.timeouts.containerStart)
  const containerId = await createContainer(room, who, { Cmd: idleCommand(room.settings) }, log, signal, deadline)
  try {
    const shell = room.images.hasShell(containerId, deadline).catch(() => true) // then the first program tells
    await writeFiles(room, who, containerId, log, AbortSignal.any([signal, deadline]))
    await startContainer(room, containerId, log, signal, deadline)
    return { containerId, hasShell: await shell, env: [] }
  } catch (error) {
    room.cleanup.track(room.cleanup.remove(containerId, log))
    throw error
  }
}

function createSandbox(room: Room, { containerId, hasShell, env }: Made, who: Occupant): Sandbox {
  const labels = occupantLabels(who)
  const log = who.peer.log.with({ ...labels, containerId })
  const closing = new AbortController()
  let removal: Promise<void> | undefined
  const { execution } = room.settings
  const announcement: Announcement = !execution.disableAgent ? 'agent' : hasShell ? 'shim' : 'none'
  const place: Place = { room, containerId, env, announcement, closing: closing.signal }
  return {
    async run(program, stdio, signal) {
      if (closing.signal.aborted) throw shuttingDown(containerId)
      const words = wordsOf(program.what, execution, hasShell)
      if (words === undefined) throw noSubsystem(program.what)
      const programLog = program.log.with({ ...labels, containerId })
      try {
        return await runProgram(place, words, program, stdio, programLog, signal)
      } catch (error) {
        throw closing.signal.aborted ? shuttingDown(containerId) : error
      }
    },
    dial: (target) => Promise.reject(noForwarding(target)),
    listen: (door) => Promise.reject(noForwarding(door)),
    [Symbol.asyncDispose]() {
      closing.abort()
      removal ??= room.cleanup.remove(containerId, log)
      return removal
    },
  }
}

export const noSubsystem = (what: Program['what']): Fault =>
  fault('DOCKER_SUBSYSTEM_NOT_SUPPORTED', { subsystem: what.kind === 'subsystem' ? what.name : '' })

export const noForwarding = (place: Target | Door): Fault =>
  fault('DOCKER_FORWARDING_FAILED', { target: placeName(place), reason: 'this room does not forward connections' })
