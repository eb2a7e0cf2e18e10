/**
 * How programs and containers end: one stream of events per worker (https://docs.docker.com/reference/api/engine/version/v1.41/#tag/System/operation/SystemEvents)
 * for all containers that carry a label, for most our owner label. `exec_die` arrives about 1 ms after the end of the output, and it
 * arrives even when a process left in the background keeps the output open.
 */
import type { Readable } from 'node:stream'
import { sleep } from '../../../shared/deadline.ts'
import type { Log } from '../../../shared/log.ts'
import { backoff } from '../../../shared/retry.ts'
import type { Engine } from './engine.ts'
import { asEngineError, failureLabels } from './failure.ts'

export interface Watcher {
  exited(exitCode: number): void
  /** Events may have been lost: ask the engine. */
  missed(): void
}

export interface Ends extends AsyncDisposable {
  /** `id`: of an exec, or of a container. The first call opens the stream. Returns the end of watching. */
  watch(id: string, watcher: Watcher): () => void
  /** Whether events arrive at present. */
  readonly isUp: boolean
  /** Whether the kernel has lately killed something in a container for want of memory. */
  ranOutOfMemory(containerId: string): boolean
}

/** An event is a few hundred bytes; labels can make it longer. */
const MAX_LINE_CHARS = 1 << 20
/** Between the kernel's kill and our question. */
const OOM_MS = 10_000
const MAX_OOMS = 1000

/** `labelled`: `name` or `name=value`. */
export function createEnds(engine: Engine, labelled: string, log: Log): Ends {
  const watchers = new Map<string, Watcher>()
  const ooms = new Map<string, number>()
  const closing = new AbortController()
  let following: Promise<void> | undefined
  let isUp = false

  const follow = async (): Promise<void> => {
    const pauses = backoff(200, 2000)
    for (let attempt = 1; !closing.signal.aborted; attempt += 1) {
      try {
        const filters = { type: ['container'], event: ['exec_die', 'die', 'oom'], label: [labelled] }
        const stream = await engine.events(filters, closing.signal)
        isUp = true
        // Whatever ended between the request and now may have gone by unseen.
        for (const watcher of [...watchers.values()]) watcher.missed()
        pauses.reset()
        attempt = 0
        await eachLine(stream, deliver)
        if (!closing.signal.aborted) throw new Error('the engine ended it')
      } catch (error) {
        isUp = false
        if (closing.signal.aborted) return
        log.emit('DOCKER_EVENTS_FAILED', { reason: failureLabels(asEngineError(error), attempt).reason })
        for (const watcher of [...watchers.values()]) watcher.missed()
        await sleep(pauses.next(), closing.signal)
      }
    }
  }
  const deliver = (line: string): void => {
    const { Action, Actor } = eventOf(line)
    const attributes = Actor?.Attributes
    if (Action === 'oom' && Actor?.ID !== undefined) ooms.set(Actor.ID, performance.now())
    if (ooms.size > MAX_OOMS) ooms.clear()
    const exitCode = Number(attributes?.['exitCode'])
    const id = Action === 'die' ? Actor?.ID : attributes?.['execID']
    const watcher = watchers.get(id ?? '')
    if (watcher !== undefined && Number.isInteger(exitCode)) watcher.exited(exitCode)
  }
  return {
    watch(id, watcher) {
      watchers.set(id, watcher)
      following ??= follow()
      return () => void watchers.delete(id)
    },
    get isUp() {
      return isUp
    },
    ranOutOfMemory: (containerId) => performance.now() - (ooms.get(containerId) ?? Number.NEGATIVE_INFINITY) < OOM_MS,
    async [Symbol.asyncDispose]() {
      closing.abort()
      await following
    },
  }
}

async function eachLine(stream: Readable, line: (text: string) => void): Promise<void> {
  let rest = ''
  for await (const chunk of stream.setEncoding('utf8')) {
    rest += chunk as string
    const lines = rest.split('\n')
    rest = lines.pop() ?? ''
    for (const text of lines) line(text)
    if (rest.length > MAX_LINE_CHARS) throw new Error('an event is too long')
  }
}

interface Event {
  readonly Action?: string
  readonly Actor?: { readonly ID?: string; readonly Attributes?: Readonly<Record<string, string>> }
}

function eventOf(line: string): Event {
  try {
    return JSON.parse(line) as Event
  } catch {
    return {} // an empty line, or none of ours
  }
}
