/** The little that the quick start says to a Docker engine (https://docs.docker.com/reference/api/engine/). */
import { type IncomingMessage, request } from 'node:http'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { QuickstartError } from './failure.ts'

/** Where Debian's engine listens. */
export const engineSocket = '/var/run/docker.sock'

/** Where the engine is looked for: DOCKER_HOST, as with Docker's own client, else the usual place. @throws QuickstartError */
export const socketOf = (host: string | undefined): string => {
  if (host === undefined || host === '') return engineSocket
  if (host.startsWith('unix:///')) return host.slice('unix://'.length)
  throw new QuickstartError(
    `DOCKER_HOST is ${host}: the quick start takes only an engine of this machine, as in unix:///var/run/docker.sock; name others as docker.connection.host in a configuration file.`,
  )
}

export interface Engine {
  /** Path of its UNIX socket. */
  readonly socket: string
  readonly signal: AbortSignal
}

interface Ask {
  readonly method?: 'GET' | 'POST'
  readonly body?: Readable
  readonly timeoutMs: number
}

const ask = (
  { socket, signal }: Engine,
  path: string,
  { method = 'GET', body, timeoutMs }: Ask,
): Promise<IncomingMessage> =>
  new Promise((resolve, reject) => {
    const limited = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
    const headers = body === undefined ? {} : { 'content-type': 'application/x-tar' }
    const call = request({ socketPath: socket, path, method, headers, signal: limited, agent: false })
    call.on('response', resolve)
    call.on('error', reject)
    if (body === undefined) call.end()
    else {
      body.on('error', (error) => call.destroy(error))
      body.pipe(call)
    }
  })

export interface EngineState {
  readonly answers: boolean
  /** Why not: `ENOENT`, `ECONNREFUSED`, `EACCES`, … */
  readonly reason: string
}

export const engineState = async (engine: Engine): Promise<EngineState> => {
  try {
    const answer = await ask(engine, '/_ping', { timeoutMs: 5000 })
    answer.resume()
    return { answers: answer.statusCode === 200, reason: `status ${answer.statusCode}` }
  } catch (error) {
    engine.signal.throwIfAborted()
    return { answers: false, reason: (error as NodeJS.ErrnoException).code ?? String(error) }
  }
}

export const hasImage = async (engine: Engine, image: string): Promise<boolean> => {
  const answer = await ask(engine, `/images/${image}/json`, { timeoutMs: 10_000 })
  answer.resume()
  return answer.statusCode === 200
}

interface PullRecord {
  readonly status?: string
  readonly id?: string
  readonly error?: string
  readonly message?: string
}

/** Both ways to make an image answer with one JSON object per line. @throws Error with the engine's reason. */
const follow = async (answer: IncomingMessage, onRecord: (record: PullRecord) => void): Promise<void> => {
  for await (const line of createInterface({ input: answer })) {
    if (line.trim() === '') continue
    const record = JSON.parse(line) as PullRecord
    if (record.error !== undefined) throw new Error(record.error)
    if (answer.statusCode !== 200) throw new Error(record.message ?? `status ${answer.statusCode}`)
    onRecord(record)
  }
  if (answer.statusCode !== 200) throw new Error(`status ${answer.statusCode}`)
}

/** Pulls; gives up when the registry has sent nothing for `silentMs`. */
export const pullImage = async (
  { socket, signal }: Engine,
  image: string,
  silentMs: number,
  onProgress: (text: string) => void,
): Promise<void> => {
  const silence = new AbortController()
  const arm = () => setTimeout(() => silence.abort(new Error('the registry does not answer')), silentMs)
  let timer = arm()
  const either = AbortSignal.any([signal, silence.signal])
  try {
    const path = `/images/create?fromImage=${encodeURIComponent(image)}&tag=latest`
    const answer = await ask({ socket, signal: either }, path, { method: 'POST', timeoutMs: 600_000 })
    await follow(answer, ({ id, status }) => {
      clearTimeout(timer)
      timer = arm()
      if (id !== undefined && status === 'Pull complete') onProgress(`layer ${id} is here`)
    })
  } catch (error) {
    signal.throwIfAborted()
    throw silence.signal.aborted ? silence.signal.reason : error
  } finally {
    clearTimeout(timer)
  }
}

/** Makes an image of one layer from a tar archive. */
export const importImage = async (
  engine: Engine,
  name: string,
  tag: string,
  tar: Readable,
  changes: readonly string[],
): Promise<void> => {
  const query = new URLSearchParams({ fromSrc: '-', repo: name, tag })
  for (const change of changes) query.append('changes', change)
  const answer = await ask(engine, `/images/create?${query}`, { method: 'POST', body: tar, timeoutMs: 120_000 })
  await follow(answer, () => undefined)
}
