/** Whether the image has to be pulled, the pull, and what is known about what is in it. */
import { asFault, fault } from '../../../shared/codes/fault.ts'
import { within } from '../../../shared/deadline.ts'
import type { Log } from '../../../shared/log.ts'
import type { Say } from '../../ports.ts'
import { SHELL } from './command.ts'
import type { Engine } from './engine.ts'
import { persist } from './failure.ts'
import { type Owner, ownerOf } from './owner.ts'
import { pull } from './pull.ts'
import type { DockerSettings } from './room.ts'

export interface Images {
  /**
   * Makes sure that the engine has the image, as the pull policy says. One check and one pull serve all who wait; `say`
   * hears of its progress. @throws Fault
   */
  ensure(log: Log, signal: AbortSignal, say?: Say): Promise<void>
  /** The engine does not have the image after all: ask again next time. */
  forget(): void
  /** What the name of the image stands for at present; remembered for ten seconds. @throws EngineError */
  id(signal: AbortSignal): Promise<string | undefined>
  /** Whether the image has /bin/sh; looked up in one of its containers, remembered for a minute. */
  hasShell(containerId: string, signal: AbortSignal): Promise<boolean>
  /** Whom programs run as; looked up in one of the image's containers, remembered for a minute. @throws Error */
  owner(containerId: string, signal: AbortSignal): Promise<Owner>
  /** What the last lookup said; true before there was one. */
  assumeShell(): boolean
}

/** Long enough for a burst of logins, short enough for an operator who removes an image. */
const PRESENT_MS = 10_000
const LOOKUP_MS = 60_000

export function createImages(engine: Engine, settings: DockerSettings): Images {
  const { execution, timeouts } = settings
  const image = execution.container.Image ?? ''
  let presentUntil = 0
  let checking: Promise<void> | undefined
  const waiting = new Set<Say>()
  let id: { readonly answer: Promise<string | undefined>; readonly until: number } | undefined
  let shell: { answer: Promise<boolean>; until: number } | undefined
  let lastShell = true
  let owner: { readonly answer: Promise<Owner>; readonly until: number } | undefined

  const tell = (line: string): void => {
    for (const say of waiting) say(line)
  }
  const check = async (log: Log): Promise<void> => {
    log.emit('DOCKER_IMAGE_PULL_NEEDED_CHECKING', { image })
    const deadline = AbortSignal.timeout(timeouts.containerStart)
    const policy = execution.imagePullPolicy
    const pullNeeded =
      policy === 'Always' || (policy === 'IfNotPresent' && !(await isPresent(engine, image, log, deadline)))
    log.emit('DOCKER_IMAGE_PULL_NEEDED_CHECKING', { image, pullNeeded })
    if (pullNeeded) await pull(engine, settings, log, tell)
    if (policy !== 'Always') presentUntil = performance.now() + PRESENT_MS
  }
  return {
    async ensure(log, signal, say) {
      if (performance.now() < presentUntil) return
      checking ??= check(log).finally(() => {
        checking = undefined
      })
      const shared = checking
      // A function of its own: somebody may wait twice with the same.
      const hear = (line: string): void => say?.(line)
      waiting.add(hear)
      try {
        await within('the image', timeouts.containerStart + timeouts.imagePull + 1000, signal, () => shared)
      } catch (error) {
        if (signal.aborted) throw fault('DOCKER_CONTAINER_SHUTTING_DOWN', {})
        throw asFault(error)
      } finally {
        waiting.delete(hear)
      }
    },
    forget() {
      presentUntil = 0
    },
    id(signal) {
      if (id !== undefined && performance.now() < id.until) return id.answer
      const answer = engine.imageId(image, signal)
      const known = { answer, until: performance.now() + PRESENT_MS }
      id = known
      answer.catch(() => {
        if (id === known) id = undefined
      })
      return answer
    },
    hasShell(containerId, signal) {
      if (shell !== undefined && performance.now() < shell.until) return shell.answer
      const answer = engine.hasPath(containerId, SHELL, signal)
      const known = { answer, until: performance.now() + LOOKUP_MS }
      shell = known
      answer.then(
        (is) => {
          lastShell = is
        },
        () => {
          if (shell === known) shell = undefined
        },
      )
      return answer
    },
    owner(containerId, signal) {
      if (owner !== undefined && performance.now() < owner.until) return owner.answer
      const answer = ownerOf(engine, containerId, signal)
      const known = { answer, until: performance.now() + LOOKUP_MS }
      owner = known
      answer.catch(() => {
        if (owner === known) owner = undefined
      })
      return answer
    },
    assumeShell: () => lastShell,
  }
}

function isPresent(engine: Engine, image: string, log: Log, signal: AbortSignal): Promise<boolean> {
  const ask = async (): Promise<boolean> => {
    log.emit('DOCKER_IMAGE_LISTING', { image })
    return (await engine.imageId(image, signal)) !== undefined
  }
  return persist(ask, {
    signal,
    retrying: (labels) => log.emit('DOCKER_IMAGE_LISTING_FAILED', { image, ...labels }),
    failed: (labels, cause) => fault('DOCKER_IMAGE_LISTING_FAILED', { image, ...labels }, { cause, level: 'error' }),
  })
}
