/** The pull of an image: its name as the engine wants it, the credentials, the errors in the stream, the progress. */
import { fault } from '../../../shared/codes/fault.ts'
import type { Log } from '../../../shared/log.ts'
import type { Engine } from './engine.ts'
import { EngineError, persist } from './failure.ts'
import { createProgress, narrate, type Progress, type PullEvent } from './progress.ts'
import type { DockerSettings } from './room.ts'

/** `say`: for those who wait. @throws Fault DOCKER_IMAGE_PULL_FAILED */
export async function pull(
  engine: Engine,
  { execution, timeouts }: DockerSettings,
  log: Log,
  say: (line: string) => void,
): Promise<void> {
  const image = execution.container.Image ?? ''
  const query = { ...pullName(image), ...platformQuery(execution.platform) }
  const auth = credentials(execution.auth, image)
  const deadline = AbortSignal.timeout(timeouts.imagePull)
  const progress = createProgress(image)
  const told = new AbortController()
  const once = async (): Promise<void> => {
    log.emit('DOCKER_IMAGE_PULL', { image })
    await readProgress(engine, query, auth, progress, deadline)
  }
  narrate(progress, say, told.signal)
  try {
    await persist(once, {
      signal: deadline,
      permanent: (error) => [401, 403, 404].includes(error.statusCode) || refusal.test(error.message),
      retrying: (labels) => log.emit('DOCKER_IMAGE_PULL_FAILED', { image, ...labels }),
      failed: (labels, cause) => fault('DOCKER_IMAGE_PULL_FAILED', { image, ...labels }, { cause, level: 'error' }),
    })
  } finally {
    told.abort()
  }
}

/** The registry's answers that will not change by asking again. */
const refusal =
  /no basic auth credential|access denied|authentication required|manifest .*unknown|not found|unauthorized|invalid reference/i
/** Far above any line of an engine. */
const mostChars = 1 << 20

async function readProgress(
  engine: Engine,
  query: Readonly<Record<string, string>>,
  auth: object | undefined,
  progress: Progress,
  signal: AbortSignal,
): Promise<void> {
  const stream = await engine.pull(query, auth, signal)
  let rest = ''
  for await (const chunk of stream.setEncoding('utf8')) {
    const lines = (rest + (chunk as string)).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) take(line, progress)
    if (rest.length > mostChars) throw new EngineError(200, 'a line of the pull is too long')
  }
  take(rest, progress)
  signal.throwIfAborted()
}

/** An error within the stream comes with status 200. */
function take(line: string, progress: Progress): void {
  const event = eventOf(line)
  const message = event.errorDetail?.message ?? event.error
  if (message !== undefined) throw new EngineError(200, message)
  progress.take(event)
}

type Event = PullEvent & { readonly errorDetail?: { readonly message?: string }; readonly error?: string }

function eventOf(line: string): Event {
  try {
    return JSON.parse(line) as Event
  } catch {
    return {} // an empty line
  }
}

/** The reference's rule: names without a registry are Docker Hub's, no tag is `latest`, digests pass through. */
export function pullName(image: string): { fromImage: string; tag?: string } {
  const full =
    registryOf(image) !== undefined ? image : image.includes('/') ? `docker.io/${image}` : `docker.io/library/${image}`
  if (full.includes('@')) return { fromImage: full }
  const colon = full.lastIndexOf(':')
  return colon > full.lastIndexOf('/')
    ? { fromImage: full.slice(0, colon), tag: full.slice(colon + 1) }
    : { fromImage: full, tag: 'latest' }
}

/** Undefined: Docker Hub. */
function registryOf(image: string): string | undefined {
  const [first = '', ...others] = image.split('/')
  return others.length > 0 && (/[.:]/.test(first) || first === 'localhost') ? first : undefined
}

/** How Docker Hub is called in credentials. */
const hub = 'https://index.docker.io/v1/'

/**
 * What goes into X-Registry-Auth (https://docs.docker.com/reference/api/engine/version/v1.47/#section/Authentication).
 * `auth` is for files: an engine does not look into it.
 */
export function credentials(auth: DockerSettings['execution']['auth'], image: string): object | undefined {
  if (auth === undefined) return undefined
  const { auth: encoded = '', ...plain } = auth
  const serveraddress = plain.serveraddress || (registryOf(image) ?? hub)
  if (encoded === '' || plain.username) return { ...plain, serveraddress }
  const [, username = '', password = ''] = /^([^:]*):(.*)$/s.exec(Buffer.from(encoded, 'base64').toString('utf8')) ?? []
  return { ...plain, username, password, serveraddress }
}

export function platformQuery(platform: DockerSettings['execution']['platform']): { platform?: string } {
  if (platform === undefined) return {}
  const parts = [platform.os ?? 'linux', platform.architecture, platform.variant]
  const text = parts.filter((part) => part !== undefined && part !== '').join('/')
  return { platform: text }
}
