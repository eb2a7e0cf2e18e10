/** The sandbox backend: see `sandbox` in the configuration reference. One per worker, with a room per `sandbox` section. */
import { lstat } from 'node:fs/promises'
import { join } from 'node:path'
import { asFault, fault } from '../../../shared/codes/fault.ts'
import type { Config } from '../../../shared/config/schema.ts'
import { aborted, sleep } from '../../../shared/deadline.ts'
import type { Identity } from '../../../shared/identity.ts'
import type { Log } from '../../../shared/log.ts'
import { createLru } from '../../../shared/lru.ts'
import type { RoomFaults } from '../../ports.ts'
import { explained } from '../explain.ts'
import { SHELL } from '../guest/command.ts'
import { INTERNAL_SFTP, type Plan, planOf, SCP } from '../guest/plan.ts'
import type { ReapingBackend } from '../rooms.ts'
import { type Groups, wantedBounds } from './cgroup/group.ts'
import { findGroups, reapGroups } from './cgroup/index.ts'
import { createChoice } from './choice.ts'
import { createCleanup } from './cleanup.ts'
import { groundOf } from './ground.ts'
import { occupantLabels, type Room, type SandboxSettings } from './room.ts'
import { openSandbox, shuttingDown } from './sandbox.ts'
import { openSessionSandbox } from './session-sandbox.ts'
import { createSlots, sandboxDirectory } from './slots.ts'
import { makeSupplies } from './supplies.ts'

const faults: RoomFaults = {
  alreadyRunning: () => fault('SANDBOX_PROGRAM_ALREADY_RUNNING', {}),
  notRunning: () => fault('SANDBOX_PROGRAM_NOT_RUNNING', {}),
  notSupported: (request) => fault('SANDBOX_REQUEST_NOT_SUPPORTED', { request }),
}

/** The primary process gives a worker 30 s. */
const mostStartMs = 15_000
/** Sections that users' own configurations brought. */
const mostRooms = 256

/** @throws Fault SANDBOX_CONFIG_ERROR when no sandbox can be made */
export async function sandbox(config: Config, identity: Identity, workerLog: Log): Promise<ReapingBackend> {
  const log = workerLog.with({ module: 'backend', backend: 'sandbox' })
  const { ids, timeouts } = config.sandbox
  const directory = await orConfigError(() => sandboxDirectory(config.sandbox))
  const slots = createSlots(directory, ids, identity)
  const cleanup = createCleanup(timeouts.stop)
  const { groups, reason } = await findGroups(config.sandbox)
  const choose = createChoice(log)
  const make = (given: SandboxSettings): Promise<Room> =>
    orConfigError(async () => {
      const settings = await withDirectory(given, log)
      const supplies = await makeSupplies(settings, directory)
      const plan = await planFor(settings)
      return choose(settings, async (tool) => {
        const ground = await groundOf(settings, supplies, tool)
        return { settings, slots, cleanup, tool, groups, identity, supplies, ground, plan }
      })
    })
  const rooms = createLru<SandboxSettings, Promise<Room>>(mostRooms)
  const roomOf = (settings: SandboxSettings): Promise<Room> => {
    const known = rooms.get(settings)
    if (known !== undefined) return known
    const room = make(settings)
    rooms.set(settings, room)
    room.catch(() => rooms.delete(settings)) // told to each that waits; the next one tries again
    return room
  }
  const proved = roomOf(config.sandbox)
  // A large archive takes longer than a worker may take to be ready; logins wait for it.
  const patience = new AbortController()
  const late = sleep(mostStartMs, patience.signal).then(() => false)
  const isProved = await Promise.race([proved.then(() => true), late]).finally(() => patience.abort())
  if (!isProved) proved.catch((error) => log.fault(asFault(error)))
  tellLimits(config.sandbox, groups, reason, log)
  return {
    name: 'sandbox',
    faults,
    async open(who, signal) {
      const room = await Promise.race([roomOf(who.member.settings?.sandbox ?? config.sandbox), aborted(signal)])
      if (room === undefined) throw shuttingDown()
      const own = who.peer.log.with(occupantLabels(who))
      const opened =
        room.settings.mode === 'session'
          ? await openSessionSandbox(room, who)
          : await openSandbox(room, who, own, signal)
      return { ...opened, run: explained(opened.run) }
    },
    async reap(signal) {
      if (groups !== undefined) await reapGroups(groups, log, timeouts.stop, signal)
      return slots.reap(log, signal)
    },
    [Symbol.asyncDispose]: () => cleanup[Symbol.asyncDispose](),
  }
}

/** An archive becomes a directory. @throws Error */
async function withDirectory(settings: SandboxSettings, log: Log): Promise<SandboxSettings> {
  const { rootfs, timeouts } = settings
  if (rootfs.source !== 'archive') return settings
  const { unpackedRoot } = await import('./rootfs/index.ts')
  const path = await unpackedRoot(rootfs, log, AbortSignal.timeout(timeouts.unpack))
  return { ...settings, rootfs: { ...rootfs, source: 'directory', path } }
}

function tellLimits(settings: SandboxSettings, groups: Groups | undefined, reason: string, log: Log): void {
  const means = groups === undefined ? 'setrlimit' : `control groups ${groups.version}`
  log.emit('SANDBOX_LIMITS', { means, ...(reason === '' ? {} : { reason }) })
  const loose = wantedBounds(settings).filter((bound) => groups?.bounds.has(bound) !== true)
  if (loose.length > 0) log.emit('SANDBOX_LIMITS_PER_PROCESS', { limits: loose.join(', '), reason })
}

async function orConfigError<T>(task: () => Promise<T>): Promise<T> {
  try {
    return await task()
  } catch (cause) {
    throw fault('SANDBOX_CONFIG_ERROR', { reason: cause instanceof Error ? cause.message : String(cause) }, { cause })
  }
}

/** The guest agent is always there: it is the first process. */
async function planFor({ rootfs, subsystems, sftp }: SandboxSettings): Promise<Plan> {
  const root = rootfs.source === 'host' ? '/' : rootfs.path
  const has = async (path: string): Promise<boolean> =>
    path.startsWith('/') && (await lstat(join(root, path)).catch(() => undefined)) !== undefined
  const server = subsystems['sftp'] ?? INTERNAL_SFTP
  const inside = {
    agent: false,
    shell: await has(SHELL),
    sftp: server !== INTERNAL_SFTP && (await has(server)),
    scp: await has(SCP),
  }
  const guest = { agentMode: 'inject', agentPath: '', disableAgent: true, idleCommand: [], subsystems, sftp } as const
  return planOf(guest, inside, 'the guest agent')
}
