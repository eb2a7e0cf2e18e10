/** Workers of one configuration after another: a new crew is there as a whole before the old one is relieved. */
import type { Order } from '../shared/ipc/contract.ts'
import type { Log } from '../shared/log.ts'
import { processName } from '../shared/metric/gauges.ts'
import { processHistograms } from '../shared/metric.ts'
import { keep, newPost, orderDrain, type Post, type PostContext, retire, type Stage } from './post.ts'
import type { Account } from './worker-user.ts'

/** Workers that are alike. */
export interface Crew {
  readonly count: number
  /** As whom they run; undefined: as we do. */
  readonly account: Account | undefined
  /** Variables of ours that they do not get. */
  readonly withheld: readonly string[]
  configure(worker: number): Extract<Order, { kind: 'configure' }>
  /** As long as its connections may go on after it was retired, in milliseconds; 0: as long as they like. */
  readonly retireMs: number
  /** After that, they have this long to end gracefully. */
  readonly drainMs: number
}

export interface Crews {
  /** The first crew. @throws Fault WORKER_START_FAILED of the first that cannot start */
  begin(): Promise<void>
  /** Not to be called again before it has settled. @throws Fault WORKER_START_FAILED; then everything is as before */
  replace(crew: Crew): Promise<void>
  /** Nobody takes connections any more. */
  retire(): void
  /** Resolves when no process is left, and none will be started. */
  ended(): Promise<void>
}

export interface CrewsOptions {
  readonly log: Log
  contextFor(crew: Crew): PostContext
  /** Connections that the worker has or is being given. */
  load(worker: number): number
}

/** `posts` holds all that live, in the end none. */
export function createCrews(first: Crew, posts: Post[], { log, contextFor, load }: CrewsOptions): Crews {
  const gone = new Set<Promise<void>>()
  let crew = first
  let last = 0

  const fill = (post: Post, context: PostContext): Promise<void> => {
    const ready = Promise.withResolvers<void>()
    const kept: Promise<void> = keep(post, context, ready).finally(() => {
      posts.splice(posts.indexOf(post), 1)
      processHistograms.forget(processName(post.number))
      gone.delete(kept)
    })
    gone.add(kept)
    return ready.promise
  }
  const hire = (crew: Crew, stage: Stage): { readonly fresh: readonly Post[]; readonly ready: Promise<unknown> } => {
    const context = contextFor(crew)
    const fresh = Array.from({ length: crew.count }, () => newPost(++last, stage))
    posts.push(...fresh)
    return { fresh, ready: Promise.all(fresh.map((post) => fill(post, context))) }
  }
  const relieve = (old: readonly Post[]): void => {
    const { retireMs, drainMs } = crew
    for (const post of old) {
      retire(post, log, load(post.number))
      release(post, load)
    }
    const tooLong = (): void => {
      for (const post of old) orderDrain(post, drainMs)
    }
    if (retireMs > 0) setTimeout(tooLong, retireMs).unref()
  }
  return {
    async begin() {
      await hire(crew, 'current').ready
    },
    async replace(next) {
      const old = posts.filter(({ stage }) => stage === 'current')
      const { fresh, ready } = hire(next, 'rising')
      try {
        await ready
      } catch (error) {
        for (const post of fresh) {
          retire(post, log, 0)
          post.process?.kill()
        }
        throw error
      }
      for (const post of fresh) post.stage = 'current'
      relieve(old)
      crew = next
    },
    retire: () => relieve([...posts]),
    async ended() {
      await Promise.all(gone)
    },
  }
}

/** A retired worker ends with its last connection. */
export function release(post: Post, load: (worker: number) => number): void {
  if (post.stage === 'retired' && load(post.number) === 0) orderDrain(post, 0)
}
