/** The Docker backend: see `docker` in the configuration reference. One per worker, with a room per `docker` section. */
import { availableParallelism } from 'node:os'
import { asFault, fault } from '../../../shared/codes/fault.ts'
import type { Config } from '../../../shared/config/schema.ts'
import type { Identity } from '../../../shared/identity.ts'
import { createLeases } from '../../../shared/leases.ts'
import type { Log } from '../../../shared/log.ts'
import type { Occupant, RoomFaults, Sandbox, Say } from '../../ports.ts'
import { openLeased } from '../leased.ts'
import type { ReapingBackend } from '../rooms.ts'
import { shellsOnly } from '../shells-only.ts'
import { createHouse, type House, houseName } from './house.ts'
import { type DockerSettings, occupantLabels, type Room } from './room.ts'
import { openSandbox } from './sandbox.ts'
import { openSessionSandbox } from './session-sandbox.ts'

const faults: RoomFaults = {
  alreadyRunning: () => fault('DOCKER_PROGRAM_ALREADY_RUNNING', {}),
  notRunning: () => fault('DOCKER_PROGRAM_NOT_RUNNING', {}),
  notSupported: (request) => fault('DOCKER_REQUEST_NOT_SUPPORTED', { request }),
}

/** Engines that only users' own configurations name. */
const idleMs = 60_000
const mostIdle = 8
const reapMs = 60_000

/** @throws Fault DOCKER_CONFIG_ERROR when no client can be made of the configuration. */
export async function docker(config: Config, identity: Identity, workerLog: Log): Promise<ReapingBackend> {
  const log = workerLog.with({ module: 'backend', backend: 'docker' })
  const failed = (error: unknown): void => log.fault(asFault(error))
  const houses = createLeases<House>({ idleMs, mostIdle, failed })
  const portion = {
    workers: config.workers === 0 ? availableParallelism() : config.workers,
    isNamed: config.instance !== '',
    parallelStarts: config.docker.parallelStarts,
  }
  const ours = houses.take(houseName(config.docker), () => createHouse(config.docker, identity, portion, log)).value
  const main = ours.room(config.docker)
  ours.warmUp(main)

  /** A house that nobody has lived in: dead workers may have left something there. */
  const build = (settings: DockerSettings): House => {
    const house = createHouse(settings, identity, portion, log)
    house.reap(AbortSignal.timeout(reapMs)).catch(failed)
    return house
  }
  const openOwn = async (
    settings: DockerSettings,
    who: Occupant,
    log: Log,
    signal: AbortSignal,
    say: Say | undefined,
  ): Promise<Sandbox> =>
    openLeased(
      houses.take(houseName(settings), () => build(settings)),
      async (house) => openIn(house.room(settings), who, log, signal, say),
    )
  return {
    name: 'docker',
    faults,
    open(who, signal, say) {
      const settings = who.member.settings?.docker ?? config.docker
      const own = who.peer.log.with(occupantLabels(who))
      return settings === config.docker ? openIn(main, who, own, signal, say) : openOwn(settings, who, own, signal, say)
    },
    async reap(signal) {
      const counts = await Promise.all(houses.values().map((house) => house.reap(signal)))
      return counts.reduce((sum, one) => sum + one, 0)
    },
    retire() {
      for (const house of houses.values()) house.retire()
    },
    [Symbol.asyncDispose]: () => houses[Symbol.asyncDispose](),
  }
}

async function openIn(
  room: Room,
  who: Occupant,
  log: Log,
  signal: AbortSignal,
  say: Say | undefined,
): Promise<Sandbox> {
  const { mode, pullProgress, disableCommand } = room.settings.execution
  const openOne = mode === 'session' ? openSessionSandbox : openSandbox
  const sandbox = await openOne(room, who, log, signal, pullProgress ? say : undefined)
  return shellsOnly(disableCommand, 'DOCKERRUN_EXEC_DISABLED', sandbox)
}
