/**
 * What is in an image, looked up in the first container that is made of it, running or not: by asking for paths, so that
 * nothing has to be executed and nothing is shown to the user. Remembered per image ID, which never means anything else.
 */
import { fault } from '../../../shared/codes/fault.ts'
import type { Log } from '../../../shared/log.ts'
import { createLru } from '../../../shared/lru.ts'
import { SHELL } from '../guest/command.ts'
import { INTERNAL_SFTP, type Inside, SCP } from '../guest/plan.ts'
import type { Engine } from './engine.ts'
import { persist } from './failure.ts'
import type { DockerSettings } from './room.ts'

export interface Insides {
  /** Undefined: no container has been made of the image yet. */
  known(imageId: string, execution: Execution): Inside | undefined
  /** `signal`: the deadline of what the container is for. @throws Fault */
  look(imageId: string, execution: Execution, containerId: string, log: Log, signal: AbortSignal): Promise<Inside>
  /** What is at the path of the guest agent has shown what it is; one that is none is not `known` any more. */
  prove(imageId: string, execution: Execution, isAgent: boolean): void
  isProven(imageId: string, execution: Execution): boolean
  /** Whether this is the first call with these words. */
  isNews(...words: readonly string[]): boolean
}
type Execution = DockerSettings['execution']

/** Images with their paths. */
const most = 256

export function createInsides(engine: Engine): Insides {
  const insides = createLru<string, Inside>(most)
  const told = createLru<string, true>(most)
  const proven = createLru<string, true>(most)
  return {
    known: (imageId, execution) => insides.get(nameOf(imageId, execution)),
    async look(imageId, execution, containerId, log, signal) {
      const name = nameOf(imageId, execution)
      const known = insides.get(name)
      if (known !== undefined) return known
      const has = async (path: string): Promise<boolean> =>
        path.startsWith('/') &&
        (await persist(() => engine.hasPath(containerId, path, signal), {
          signal,
          retrying: (labels) => log.emit('DOCKER_GUEST_LOOK_FAILED', { path, ...labels }),
          failed: (labels, cause) => fault('DOCKER_GUEST_LOOK_FAILED', { path, ...labels }, { cause, level: 'error' }),
        }))
      const { sftp = '' } = execution.subsystems
      const [agent, shell, hasSftp, scp] = await Promise.all([
        has(execution.agentPath),
        has(SHELL),
        sftp !== INTERNAL_SFTP && has(sftp),
        has(SCP),
      ])
      const inside = { agent, shell, sftp: hasSftp, scp }
      if (imageId !== '') insides.set(name, inside)
      return inside
    },
    prove(imageId, execution, isAgent) {
      const name = nameOf(imageId, execution)
      const known = insides.get(name)
      if (isAgent) proven.set(name, true)
      else if (known !== undefined) insides.set(name, { ...known, agent: false })
    },
    isProven: (imageId, execution) => proven.get(nameOf(imageId, execution)) === true,
    isNews(...words) {
      const name = JSON.stringify(words)
      const isNew = told.get(name) === undefined
      told.set(name, true)
      return isNew
    },
  }
}

/** Mounts may bring a path, or hide it. */
const nameOf = (imageId: string, { agentPath, subsystems, host }: Execution): string =>
  JSON.stringify([imageId, agentPath, subsystems['sftp'], host?.Binds, host?.Mounts, host?.VolumesFrom])
