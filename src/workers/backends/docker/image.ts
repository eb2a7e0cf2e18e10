/** Whether the image has to be pulled, the pull, and what is known about what is in it. */
import { asFault, fault } from '../../../shared/codes/fault.ts'
import { within } from '../../../shared/deadline.ts'
import type { Log } from '../../../shared/log.ts'
import type { Say } from '../../ports.ts'
import type { Engine, Image } from './engine.ts'
import { persist } from './failure.ts'
import { type Owner, ownerOf } from './owner.ts'
import { pull } from './pull.ts'
import type { DockerSettings } from './room.ts'

export interface Images {
  /**
   * Makes sure that the engine has the image, as the pull policy says. One check and one pull serve all who wait; `say`
   * hears of its progress. Undefined: it may not be pulled and is not there. @throws Fault
   */
  ensure(log: Log, signal: AbortSignal, say?: Say): Promise<Image | undefined>
  /** The engine does not have the image after all: ask again next time. */
  forget(): void
  /** What the name of the image stands for at present; remembered for ten seconds. @throws EngineError */
  id(signal: AbortSignal): Promise<string | undefined>
  /** Whom programs run as; looked up in one of the image's containers, remembered for a minute. @throws Error */
  owner(containerId: string, signal: AbortSignal): Promise<Owner>
}

/** Long enough for a burst of logins, short enough for an operator who removes an image. */
const PRESENT_MS = 10_000
const LOOKUP_MS = 60_000

export function createImages(engine: Engine, settings: DockerSettings): Images {
  const { execution, timeouts } = settings
  const image = execution.container.Image ?? ''
  let presentUntil = 0
  let present: Image | undefined
  let checking: Promise<Image | undefined> | undefined
  const waiting = new Set<Say>()
  let id: { readonly answer: Promise<string | undefined>; readonly until: number } | undefined
  let owner: { readonly answer: Promise<Owner>; readonly until: number } | undefined

  const tell = (line: string): void => {
    for (const say of waiting) say(line)
  }
  const check = async (log: Log): Promise<Image | undefined> => {
    log.emit('DOCKER_IMAGE_PULL_NEEDED_CHECKING', { image })
    const deadline = AbortSignal.timeout(timeouts.containerStart)
    const policy = execution.imagePullPolicy
    const before = policy === 'Always' ? undefined : await find(engine, image, log, deadline)
    const pullNeeded = policy === 'Always' || (policy === 'IfNotPresent' && before === undefined)
    log.emit('DOCKER_IMAGE_PULL_NEEDED_CHECKING', { image, pullNeeded })
    if (pullNeeded) await pull(engine, settings, log, tell)
    const found = pullNeeded ? await find(engine, image, log, AbortSignal.timeout(timeouts.containerStart)) : before
    if (policy !== 'Always' && found !== undefined) {
      present = found
      presentUntil = performance.now() + PRESENT_MS
    }
    return found
  }
  return {
    async ensure(log, signal, say) {
      if (performance.now() < presentUntil) return present
      checking ??= check(log).finally(() => {
        checking = undefined
      })
      const shared = checking
      // A function of its own: somebody may wait twice with the same.
      const hear = (line: string): void => say?.(line)
      waiting.add(hear)
      try {
        return await within('the image', timeouts.containerStart + timeouts.imagePull + 1000, signal, () => shared)
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
      const answer = engine.image(image, signal).then((found) => found?.id)
      const known = { answer, until: performance.now() + PRESENT_MS }
      id = known
      answer.catch(() => {
        if (id === known) id = undefined
      })
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
  }
}

function find(engine: Engine, image: string, log: Log, signal: AbortSignal): Promise<Image | undefined> {
  const ask = (): Promise<Image | undefined> => {
    log.emit('DOCKER_IMAGE_LISTING', { image })
    return engine.image(image, signal)
  }
  return persist(ask, {
    signal,
    retrying: (labels) => log.emit('DOCKER_IMAGE_LISTING_FAILED', { image, ...labels }),
    failed: (labels, cause) => fault('DOCKER_IMAGE_LISTING_FAILED', { image, ...labels }, { cause, level: 'error' }),
  })
}
