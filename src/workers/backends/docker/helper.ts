/**
 * Our own guest agent for images that have none: a file on this machine, handed to containers through a volume on their
 * engine, which is named by the file's content, made once, mounted read-only, and kept for the containers to come.
 */
import { posix } from 'node:path'
import { fault } from '../../../shared/codes/fault.ts'
import { sleep } from '../../../shared/deadline.ts'
import { newId } from '../../../shared/id.ts'
import type { Identity } from '../../../shared/identity.ts'
import type { Log } from '../../../shared/log.ts'
import { createLru } from '../../../shared/lru.ts'
import { tarOf } from '../../../shared/tar.ts'
import { type Binary, contentOf, createBinaries } from '../guest/binary.ts'
import { HELPER, HELPER_FOLDER } from '../guest/plan.ts'
import type { Cleanup } from './cleanup.ts'
import type { Engine } from './engine.ts'
import { asEngineError } from './failure.ts'
import { type DockerSettings, label } from './room.ts'

export interface Helpers {
  /** Name of the volume for images of an architecture; undefined: there is no file for it, or filling failed lately. @throws Fault */
  volumeFor(execution: DockerSettings['execution'], architecture: string): Promise<string | undefined>
  /** Sees to it that the volume, which `containerId` has mounted, holds the helper. @throws Fault */
  fill(volume: string, containerId: string, imageId: string, log: Log, signal: AbortSignal): Promise<void>
}

/** A volume that could not be filled is not tried again for so long. */
const rememberMs = 60_000
const mostVolumes = 64
/** Written last: a volume without it was left half-filled. */
const COMPLETE = `${HELPER_FOLDER}/complete`
const POLL_MS = 100
/** A worker that fills a volume needs less than a second; one that died on it must not hold up logins for long. */
const FILL_MS = 15_000

export function createHelpers(engine: Engine, identity: Identity, cleanup: Cleanup): Helpers {
  const binaries = createBinaries()
  const volumes = createLru<string, Binary>(mostVolumes)
  const filling = new Map<string, Promise<void>>()
  const failedUntil = new Map<string, number>()

  const fillNow = async (volume: string, containerId: string, imageId: string, log: Log, signal: AbortSignal) => {
    while (!(await engine.hasPath(containerId, COMPLETE, signal))) {
      const filler = await reserve(volume, imageId, signal)
      if (filler === undefined) {
        await sleep(POLL_MS, signal)
        continue
      }
      try {
        const binary = volumes.get(volume)
        if (binary === undefined) throw new Error('the file is not known any more')
        const agent = await contentOf(binary)
        const common = { uid: 0, gid: 0, mtime: 0 }
        const files = [
          { ...common, name: posix.basename(HELPER), content: agent, mode: 0o755 },
          { ...common, name: posix.basename(COMPLETE), content: Buffer.alloc(0), mode: 0o444 },
        ]
        await engine.putArchive(filler, HELPER_FOLDER, tarOf(files), signal)
      } finally {
        await cleanup.remove(filler, log, true)
      }
    }
  }
  /** A container that never runs, by whose name one of all the workers and servers is chosen. Undefined: it is another. */
  const reserve = async (volume: string, imageId: string, signal: AbortSignal): Promise<string | undefined> => {
    const body = {
      Image: imageId,
      Cmd: [HELPER],
      Labels: { [label.instance]: identity.instance, [label.owner]: identity.owner, [label.creation]: newId() },
      HostConfig: { NetworkMode: 'none', LogConfig: { Type: 'none' }, Mounts: [mountOf(volume, false)] },
    }
    try {
      return await engine.createContainer(body, { name: `${volume}-filler` }, signal)
    } catch (error) {
      if (asEngineError(error).statusCode === 409) return undefined
      throw error
    }
  }
  return {
    async volumeFor({ agentMode, agentBinary }, architecture) {
      if (agentMode === 'none') return undefined
      const binary = await binaries.find(agentBinary, architecture).catch((cause: Error) => {
        throw fault('DOCKER_AGENT_INJECT_FAILED', { reason: cause.message }, { cause })
      })
      if (binary === undefined) return undefined
      const volume = `containerssh-agent-${binary.hash.slice(0, 32)}`
      volumes.set(volume, binary)
      const isBroken = agentMode !== 'inject' && performance.now() < (failedUntil.get(volume) ?? 0)
      return isBroken ? undefined : volume
    },
    async fill(volume, containerId, imageId, log, signal) {
      try {
        if (await engine.hasPath(containerId, COMPLETE, signal)) return
        const limited = AbortSignal.any([signal, AbortSignal.timeout(FILL_MS)])
        const task =
          filling.get(volume) ??
          fillNow(volume, containerId, imageId, log, limited).finally(() => filling.delete(volume))
        filling.set(volume, task)
        await task
      } catch (cause) {
        failedUntil.set(volume, performance.now() + rememberMs)
        throw fault('DOCKER_AGENT_INJECT_FAILED', { reason: (cause as Error).message }, { cause })
      }
    },
  }
}

/** An entry of HostConfig.Mounts. */
export const mountOf = (volume: string, ReadOnly: boolean): object => ({
  Type: 'volume',
  Source: volume,
  Target: HELPER_FOLDER,
  ReadOnly,
  VolumeOptions: { NoCopy: true, Labels: { [label.helper]: '' } },
})
