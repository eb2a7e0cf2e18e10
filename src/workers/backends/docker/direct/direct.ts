/**
 * Streams past the engine. Where it is on this machine, each container has a folder of ours mounted, read-only, in which its
 * programs find their streams: see streams.ts. What that takes is looked at once for each engine; where it cannot be had, or a container does
 * not see the folder, streams go through the engine as ever.
 */
import { chmodSync, mkdirSync } from 'node:fs'
import { readdir, rm, rmdir } from 'node:fs/promises'
import { hostname, release } from 'node:os'
import { join, normalize } from 'node:path'
import { newId } from '../../../../shared/id.ts'
import { type Identity, ownerState } from '../../../../shared/identity.ts'
import type { Log } from '../../../../shared/log.ts'
import { checkOwned, streamsFolder } from '../../../../shared/runtime-folder.ts'
import type { Engine } from '../engine.ts'
import { asEngineError } from '../failure.ts'
import type { DockerSettings } from '../room.ts'
import { createStock, type Stock } from './stock.ts'
import { type DirectStreams, openStreams } from './streams.ts'

export interface Direct extends AsyncDisposable {
  /** Makes the folder of the container of a creation; undefined: there is no way past the engine. Never rejects. */
  prepare(
    execution: DockerSettings['execution'],
    creation: string,
    log: Log,
    signal: AbortSignal,
  ): Promise<string | undefined>
  /** A container has it now: it goes with that. */
  settle(containerId: string, folder: string): void
  /** The container was removed, or never made. */
  forget(containerId: string): void
  discard(folder: string): void
  /** Whether an error is about the mount. If so, there is no way past the engine from now on. */
  refuses(error: unknown, log: Log): boolean
  /** For a program in a container; undefined: through the engine. Never rejects. */
  open(folder: string, log: Log, signal: AbortSignal): Promise<DirectStreams | undefined>
  /**
   * Removes folders of workers that are gone and of containers that somebody else has removed, but not those of containers
   * that are still there. `listedAt`: before they were asked for (performance.now). Never rejects.
   */
  sweep(containers: readonly Listed[], listedAt: number): Promise<void>
}

/** A container that there is. */
export interface Listed {
  readonly id: string
  readonly folder: string
}

/** Where the folder is in the container. */
export const DIRECT_FOLDER = '/.containerssh-streams'

/** Runtimes whose containers share our kernel, and with it FIFOs. */
const runtimes: ReadonlySet<string> = new Set(['', 'runc', 'crun', 'io.containerd.runc.v2'])
/** The folders' names are random; nobody else needs to list them. */
const closedMode = 0o711
const openMode = 0o755

export function createDirect(engine: Engine, identity: Identity, base = streamsFolder()): Direct {
  // One worker may have several engines.
  const own = join(base, identity.owner, newId().slice(0, 8))
  const folders = new Map<string, { readonly folder: string; readonly since: number }>()
  let stock: Stock | undefined
  let possible: Promise<boolean> | undefined
  let isOver = false

  const giveUp = (reason: string, log: Log): false => {
    if (!isOver) log.emit('DOCKER_STREAMS_INDIRECT', { reason })
    isOver = true
    return false
  }
  const look = async (log: Log, signal: AbortSignal): Promise<boolean> => {
    const reason = await obstacle(engine, signal)
    if (reason !== undefined) return giveUp(reason, log)
    try {
      for (const folder of [base, join(base, identity.owner), own]) makeFolder(folder, closedMode)
    } catch (error) {
      return giveUp((error as Error).message, log)
    }
    stock = createStock(join(own, 'stock'))
    return true
  }
  const isPossible = async (log: Log, signal: AbortSignal): Promise<boolean> => {
    possible ??= look(log, signal)
    try {
      return (await possible) && !isOver
    } catch {
      possible = undefined // no answer: whoever comes next asks again
      return false
    }
  }
  const forget = (containerId: string): void => {
    const found = folders.get(containerId)
    if (found === undefined) return
    folders.delete(containerId)
    remove(found.folder)
  }
  const remove = (folder: string): void => {
    rm(folder, { recursive: true, force: true }).catch(() => undefined) // the next sweep, or the end
  }
  return {
    async prepare({ directStreams, host }, creation, log, signal) {
      if (isOver || !directStreams || !runtimes.has(host?.Runtime ?? '')) return undefined
      if (!(await isPossible(log, signal))) return undefined
      const folder = join(own, creation)
      try {
        makeFolder(folder, openMode)
      } catch (error) {
        giveUp((error as Error).message, log)
        return undefined
      }
      stock?.prepare()
      return folder
    },
    settle: (containerId, folder) => void folders.set(containerId, { folder, since: performance.now() }),
    forget,
    discard: remove,
    refuses(error, log) {
      const { message } = asEngineError(error)
      // Several containers may be under way when the first one is refused.
      if (!message.includes(DIRECT_FOLDER) && !message.includes(own)) return false
      giveUp(message, log)
      return true
    },
    async open(folder, log, signal) {
      if (!(await isPossible(log, signal)) || stock === undefined) return undefined
      // It may come from a label, which others can give to containers of theirs.
      if (!folder.startsWith(`${base}/`) || normalize(folder) !== folder) return undefined
      try {
        return openStreams(folder, await stock.take(folder, signal))
      } catch (error) {
        if (!signal.aborted) log.emit('DOCKER_STREAMS_INDIRECT', { reason: (error as Error).message })
        return undefined
      }
    },
    async sweep(containers, listedAt) {
      const known = new Set(containers.map(({ id }) => id))
      for (const [id, { since }] of folders) if (since < listedAt && !known.has(id)) forget(id)
      const used = containers.map(({ folder }) => folder)
      for (const owner of await readdir(base).catch(() => [])) {
        const folder = join(base, owner)
        const isUsed = used.some((one) => one.startsWith(`${folder}/`))
        if (!isUsed && ownerState(owner) === 'dead') remove(folder)
      }
    },
    async [Symbol.asyncDispose]() {
      // Shared containers live on, and who is in them may be with another worker.
      if (folders.size > 0) return
      await rm(own, { recursive: true, force: true }).catch(() => undefined)
      await rmdir(join(base, identity.owner)).catch(() => undefined) // there may be one for another engine
    },
  }
}

/** Why the engine's containers cannot see what we see; undefined: nothing is known to be in the way. @throws EngineError */
async function obstacle(engine: Engine, signal: AbortSignal): Promise<string | undefined> {
  if (process.platform !== 'linux') return 'this is not Linux'
  if (!engine.host.startsWith('unix://')) return 'the engine may be on another machine'
  const { KernelVersion, Name, DefaultRuntime = '', BuildahVersion } = await engine.info(signal)
  if (BuildahVersion !== undefined) return 'Podman tells the end of a program by the end of its streams'
  if (KernelVersion !== release()) return `the engine has another kernel: ${KernelVersion}`
  if (Name !== hostname()) return `the engine is on another machine: ${Name}`
  return runtimes.has(DefaultRuntime) ? undefined : `the engine's runtime is ${DefaultRuntime}`
}

/** The umask is not asked. In memory, so it does not wait. @throws Error, also for one that somebody else made */
function makeFolder(path: string, mode: number): void {
  if (mkdirSync(path, { recursive: true, mode }) !== undefined) chmodSync(path, mode)
  else checkOwned(path)
}

/** An entry of HostConfig.Mounts. */
export const directMount = (folder: string): object => ({
  Type: 'bind',
  Source: folder,
  Target: DIRECT_FOLDER,
  ReadOnly: true,
})
