/**
 * One engine with all that is made once for it: connections, the stream of events, what has to be removed. Users with
 * containers of their own kind but the same engine live in the same house, each kind in a room.
 */
import { fault } from '../../../shared/codes/fault.ts'
import type { Identity } from '../../../shared/identity.ts'
import type { Log } from '../../../shared/log.ts'
import { createLru } from '../../../shared/lru.ts'
import { createTurns, type Turns } from '../../../shared/turns.ts'
import { createPools } from '../pool/pools.ts'
import { createShares } from '../share/share.ts'
import { aheadOf } from './ahead.ts'
import { createCleanup } from './cleanup.ts'
import { connect } from './client.ts'
import { createDirect, type Direct } from './direct/direct.ts'
import { createEnds } from './ends.ts'
import { createEngine, type Engine } from './engine.ts'
import { asEngineError } from './failure.ts'
import { createHelpers } from './helper.ts'
import { createImages, type Images } from './image.ts'
import { createInsides } from './inside.ts'
import { createLease, RENEW_MS } from './lease.ts'
import { reap } from './reap.ts'
import { createRegister } from './register.ts'
import { type DockerSettings, label, type Room } from './room.ts'
import { createMarks } from './share-marks.ts'

export interface House extends AsyncDisposable {
  /** Containers for this room are made ahead from now on, if its settings say so. */
  warmUp(room: Room): void
  /** The same room for the same object. @throws Fault DOCKER_CONFIG_ERROR */
  room(settings: DockerSettings): Room
  /** Of those that nobody is in any more; gives the number of containers removed. Never rejects for the engine's sake. */
  reap(signal: AbortSignal): Promise<number>
  /** Nothing is made ahead any more; what was is removed. */
  retire(): void
}

/** Of the whole daemon, of which each worker has its portion. */
export interface Portion {
  readonly workers: number
  /** The daemon has a name that outlives its processes: others may have to tell whether these are alive. */
  readonly isNamed: boolean
  /** Containers that the engine is asked to start at a time. */
  readonly parallelStarts: number
}

/** Starts that wait: far more than any deadline lets through. */
const mostWaiting = 10_000
/** Images about which something is remembered. */
const mostImages = 256

/** What makes an engine another one. */
export const houseName = ({ connection, timeouts }: DockerSettings): string =>
  JSON.stringify([connection, timeouts.http])

/** @throws Fault DOCKER_CONFIG_ERROR when no client can be made of the settings */
export function createHouse(settings: DockerSettings, identity: Identity, portion: Portion, log: Log): House {
  const common = commonOf(settings, identity, portion, log)
  const { engine, ends, sharedEnds, cleanup, direct, lease, pools, shares } = common
  void lease?.renew()
  const renewals = setInterval(() => void lease?.renew(), RENEW_MS).unref()
  const tendShares = async (signal: AbortSignal): Promise<number> => {
    try {
      return await shares.tend(log, signal)
    } catch (error) {
      if (!signal.aborted) log.emit('DOCKER_REAP_FAILED', { reason: asEngineError(error).message })
      return 0
    }
  }
  return {
    room: createRooms(common),
    warmUp: (room) => pools.keep(room),
    async reap(signal) {
      const [own, shared] = await Promise.all([reap(common, log, signal), tendShares(signal), pools.tend()])
      return own + shared
    },
    retire: () => cleanup.track(Promise.resolve(pools[Symbol.asyncDispose]())),
    async [Symbol.asyncDispose]() {
      await pools[Symbol.asyncDispose]()
      await shares[Symbol.asyncDispose]()
      await cleanup[Symbol.asyncDispose]()
      clearInterval(renewals)
      await lease?.[Symbol.asyncDispose]()
      await Promise.all([ends[Symbol.asyncDispose](), sharedEnds[Symbol.asyncDispose]()])
      await direct[Symbol.asyncDispose]()
      engine.close()
    },
  }
}

/** What a container had outside goes with it. */
const withoutFolders = (engine: Engine, direct: Direct): Engine => ({
  ...engine,
  async removeContainer(id, signal) {
    try {
      await engine.removeContainer(id, signal)
    } catch (error) {
      if (asEngineError(error).statusCode !== 404) throw error
      direct.forget(id)
      throw error
    }
    direct.forget(id)
  },
})

/** What all rooms of the house have in common. */
type Common = Omit<Room, 'settings' | 'images'>

function commonOf(
  { connection, timeouts }: DockerSettings,
  identity: Identity,
  { workers, isNamed, parallelStarts }: Portion,
  log: Log,
): Common {
  const bare = createEngineOr(() => createEngine(connect(connection, timeouts.http)))
  const direct = createDirect(bare, identity)
  const engine = withoutFolders(bare, direct)
  const turns = (): Turns => createTurns(Math.ceil(parallelStarts / workers), mostWaiting)
  const cleanup = createCleanup(engine, timeouts.containerStop, turns())
  const lease = isNamed ? createLease(engine, identity, log) : undefined
  return {
    engine,
    identity,
    cleanup,
    direct,
    lease,
    ends: createEnds(engine, `${label.owner}=${identity.owner}`, log),
    starts: turns(),
    pools: createPools(aheadOf(log), workers, log),
    insides: createInsides(engine),
    helpers: createHelpers(engine, identity, cleanup),
    sharedEnds: createEnds(engine, label.share, log),
    shares: createShares(createRegister({ engine, cleanup, lease }, createMarks(engine, identity, lease))),
  }
}

/** @throws Fault DOCKER_CONFIG_ERROR, what it gives does */
function createRooms(common: Common): House['room'] {
  const images = createLru<string, Images>(mostImages)
  const rooms = new WeakMap<DockerSettings, Room>()
  const imagesOf = (settings: DockerSettings): Images => {
    const { container, platform, auth, imagePullPolicy } = settings.execution
    const { containerStart, imagePull } = settings.timeouts
    const { Image, User } = container
    const name = JSON.stringify([Image, User, platform, auth, imagePullPolicy, containerStart, imagePull])
    const known = images.get(name) ?? createImages(common.engine, settings)
    images.set(name, known)
    return known
  }
  const make = (settings: DockerSettings): Room => {
    if ((settings.execution.container.Image ?? '') === '') {
      throw fault('DOCKER_CONFIG_ERROR', { reason: 'docker.execution.container.image is empty' })
    }
    const cleanup = common.cleanup.lasting(settings.timeouts.containerStop)
    return { ...common, settings, images: imagesOf(settings), cleanup }
  }
  return (settings) => {
    const room = rooms.get(settings) ?? make(settings)
    rooms.set(settings, room)
    return room
  }
}

function createEngineOr<T>(make: () => T): T {
  try {
    return make()
  } catch (cause) {
    throw fault('DOCKER_CONFIG_ERROR', { reason: cause instanceof Error ? cause.message : String(cause) }, { cause })
  }
}
