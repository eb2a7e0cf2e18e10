/** Whether the image has to be pulled, the pull, and what is known about what is in it. */
import { asFault, fault } from '../../../shared/codes/fault.ts'
import { within } from '../../../shared/deadline.ts'
import type { Log } from '../../../shared/log.ts'
import { SHELL } from './command.ts'
import type { Engine } from './engine.ts'
import { EngineError, persist } from './failure.ts'
import { type Owner, ownerOf } from './owner.ts'
import type { DockerSettings } from './room.ts'

export interface Images {
  /** Makes sure that the engine has the image, as the pull policy says. One check and one pull serve all who wait. @throws Fault */
  ensure(log: Log, signal: AbortSignal): Promise<void>
  /** The engine does not have the image after all: ask again next time. */
  forget(): void
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
  let shell: { answer: Promise<boolean>; until: number } | undefined
  let lastShell = true
  let owner: { readonly answer: Promise<Owner>; readonly until: number } | undefined

  const check = async (log: Log): Promise<void> => {
    log.emit('DOCKER_IMAGE_PULL_NEEDED_CHECKING', { image })
    const deadline = AbortSignal.timeout(timeouts.containerStart)
    const policy = execution.imagePullPolicy
    const pullNeeded =
      policy === 'Always' || (policy === 'IfNotPresent' && !(await isPresent(engine, image, log, deadline)))
    log.emit('DOCKER_IMAGE_PULL_NEEDED_CHECKING', { image, pullNeeded })
    if (pullNeeded) await pull(engine, settings, image, log, deadline)
    if (policy !== 'Always') presentUntil = performance.now() + PRESENT_MS
  }
  return {
    async ensure(log, signal) {
      if (performance.now() < presentUntil) return
      checking ??= check(log).finally(() => {
        checking = undefined
      })
      const shared = checking
      try {
        await within('the image', timeouts.containerStart + 1000, signal, () => shared)
      } catch (error) {
        if (signal.aborted) throw fault('DOCKER_CONTAINER_SHUTTING_DOWN', {})
        throw asFault(error)
      }
    },
    forget() {
      presentUntil = 0
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

function pull(engine: Engine, settings: DockerSettings, image: string, log: Log, signal: AbortSignal): Promise<void> {
  const { platform, auth } = settings.execution
  const query = { ...pullName(image), ...platformQuery(platform) }
  const once = async (): Promise<void> => {
    log.emit('DOCKER_IMAGE_PULL', { image })
    const progress = await engine.pull(query, auth, signal)
    let rest = ''
    for await (const chunk of progress.setEncoding('utf8')) {
      const lines = (rest + (chunk as string)).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) failOnError(line)
    }
    failOnError(rest)
    signal.throwIfAborted()
  }
  return persist(once, {
    signal,
    permanent: (error) => [401, 403, 404].includes(error.statusCode) || REFUSED.test(error.message),
    retrying: (labels) => log.emit('DOCKER_IMAGE_PULL_FAILED', { image, ...labels }),
    failed: (labels, cause) => fault('DOCKER_IMAGE_PULL_FAILED', { image, ...labels }, { cause, level: 'error' }),
  })
}

/** The registry's answers that will not change by asking again. */
const REFUSED =
  /no basic auth credential|pull access denied|manifest .*unknown|not found|unauthorized|invalid reference/i

/** An error within the stream comes with status 200. */
function failOnError(line: string): void {
  if (!line.includes('"error')) return
  const { errorDetail, error } = JSON.parse(line) as { errorDetail?: { message?: string }; error?: string }
  const message = errorDetail?.message ?? error
  if (message !== undefined) throw new EngineError(200, message)
}

/** The reference's rule: names without a registry are Docker Hub's, no tag is `latest`, digests pass through. */
export function pullName(image: string): { fromImage: string; tag?: string } {
  const [first = '', ...others] = image.split('/')
  const isRegistry = others.length > 0 && (/[.:]/.test(first) || first === 'localhost')
  const full = isRegistry ? image : others.length === 0 ? `docker.io/library/${image}` : `docker.io/${image}`
  if (full.includes('@')) return { fromImage: full }
  const colon = full.lastIndexOf(':')
  return colon > full.lastIndexOf('/')
    ? { fromImage: full.slice(0, colon), tag: full.slice(colon + 1) }
    : { fromImage: full, tag: 'latest' }
}

export function platformQuery(platform: DockerSettings['execution']['platform']): { platform?: string } {
  if (platform === undefined) return {}
  const parts = [platform.os ?? 'linux', platform.architecture, platform.variant]
  const text = parts.filter((part) => part !== undefined && part !== '').join('/')
  return { platform: text }
}
