/** The Kubernetes backend: see `kubernetes` in the configuration reference. One per worker. */
import { availableParallelism } from 'node:os'
import { asFault, fault } from '../../../shared/codes/fault.ts'
import type { Config } from '../../../shared/config/schema.ts'
import type { Identity } from '../../../shared/identity.ts'
import { createLeases as createShares } from '../../../shared/leases.ts'
import type { Log } from '../../../shared/log.ts'
import type { Occupant, RoomFaults, Sandbox } from '../../ports.ts'
import { openLeased } from '../leased.ts'
import type { ReapingBackend } from '../rooms.ts'
import { shellsOnly } from '../shells-only.ts'
import { createHouse, type House, houseName } from './house.ts'
import { type KubernetesSettings, occupantLabels } from './room.ts'
import { openSandbox } from './sandbox.ts'
import { openSessionSandbox } from './session-sandbox.ts'

const faults: RoomFaults = {
  alreadyRunning: () => fault('KUBERNETES_PROGRAM_ALREADY_RUNNING', {}),
  notRunning: () => fault('KUBERNETES_PROGRAM_NOT_RUNNING', {}),
  notSupported: (request) => fault('KUBERNETES_REQUEST_NOT_SUPPORTED', { request }),
}
/** Clusters that only users' own configurations name. */
const idleMs = 60_000
const mostIdle = 8

/** @throws Fault KUBERNETES_CONFIG_ERROR when no client can be made of the configuration. */
export async function kubernetes(config: Config, identity: Identity, workerLog: Log): Promise<ReapingBackend> {
  const log = workerLog.with({ module: 'backend', backend: 'kubernetes' })
  const failed = (error: unknown): void => log.fault(asFault(error))
  const houses = createShares<House>({ idleMs, mostIdle, failed })
  const workers = config.workers === 0 ? availableParallelism() : config.workers
  const build = (settings: KubernetesSettings): House => createHouse(settings, identity, workers, log)
  const ours = houses.take(houseName(config.kubernetes), () => build(config.kubernetes)).value
  ours.warmUp(ours.room(config.kubernetes))

  const openIn = async (
    house: House,
    settings: KubernetesSettings,
    who: Occupant,
    signal: AbortSignal,
  ): Promise<Sandbox> => {
    const own = who.peer.log.with(occupantLabels(who))
    const room = house.roomFor(settings, who.member.authenticatedUsername)
    const { mode, disableCommand } = settings.pod
    const sandbox =
      mode === 'session'
        ? openSessionSandbox(room, house.guests, who)
        : await openSandbox(room, house.guests, who, own, signal)
    return shellsOnly(disableCommand, 'KUBERUN_EXEC_DISABLED', sandbox)
  }
  const openOwn = async (settings: KubernetesSettings, who: Occupant, signal: AbortSignal): Promise<Sandbox> =>
    openLeased(
      houses.take(houseName(settings), () => build(settings)),
      async (house) => openIn(house, settings, who, signal),
    )
  return {
    name: 'kubernetes',
    faults,
    open(who, signal) {
      const settings = who.member.settings?.kubernetes ?? config.kubernetes
      return settings === config.kubernetes ? openIn(ours, settings, who, signal) : openOwn(settings, who, signal)
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
