/** The rooms of a worker: the configured one from the start, others when the first user needs them. */
import type { Config } from '../../shared/config/schema.ts'
import type { Identity } from '../../shared/identity.ts'
import type { Log } from '../../shared/log.ts'
import type { Backend } from '../ports.ts'
import type { RoomFactory } from './index.ts'

/** A backend that also removes what dead processes left behind. */
export interface ReapingBackend extends Backend {
  /** Gives the number of containers removed. Never rejects for the engine's sake. */
  reap(signal: AbortSignal): Promise<number>
  /** No more logins come: what was made ahead for them is removed. */
  retire?(): void
}

export interface Rooms extends AsyncDisposable {
  /** The one of the configuration file. */
  readonly main: ReapingBackend
  /** Values of `backend`. */
  readonly names: readonly string[]
  /** @throws Fault when the room cannot be made of the configuration file; the next call tries again */
  open(name: string): Promise<ReapingBackend>
  /** In all rooms that are open. */
  reap(signal: AbortSignal): Promise<number>
  /** No more logins come: what was made ahead for them is not needed any more. */
  retire(): void
}

/** @throws Fault when the configured room cannot be made */
export async function openRooms(
  factories: Readonly<Record<string, RoomFactory>>,
  config: Config,
  identity: Identity,
  log: Log,
): Promise<Rooms> {
  const opened = new Map<string, Promise<ReapingBackend>>()
  const open = (name: string): Promise<ReapingBackend> => {
    const known = opened.get(name)
    if (known !== undefined) return known
    const factory = Object.hasOwn(factories, name) ? factories[name] : undefined
    if (factory === undefined) throw new Error(`there is no backend ${name}`)
    const room = factory(config, identity, log)
    opened.set(name, room)
    room.catch(() => void opened.delete(name))
    return room
  }
  const all = async (): Promise<ReapingBackend[]> => {
    const settled = await Promise.allSettled(opened.values())
    return settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
  }
  return {
    main: await open(config.backend),
    names: Object.keys(factories),
    open,
    async reap(signal) {
      const counts = await Promise.all((await all()).map((room) => room.reap(signal)))
      return counts.reduce((sum, one) => sum + one, 0)
    },
    retire() {
      for (const room of opened.values()) room.then((open) => open.retire?.()).catch(() => undefined) // told at its login
    },
    async [Symbol.asyncDispose]() {
      await Promise.all((await all()).map((room) => room[Symbol.asyncDispose]()))
    },
  }
}
