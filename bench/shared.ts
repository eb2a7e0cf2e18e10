/**
 * The servers that several questions measure: ours with its null room, and sshd. They are started for the first of these
 * questions and end with the run.
 */
import { type Credentials, type Server, type Start, startTogether } from './server.ts'

export interface Shared extends AsyncDisposable {
  /** Ours first. */
  all(): Promise<readonly Server[]>
  /** Undefined: this machine has no such server. */
  one(name: string): Promise<Server | undefined>
  /** Ends them: who comes next gets new ones. What a failure has left of a server is nothing to measure. */
  drop(): Promise<void>
  /** What each that was started says about itself. */
  readonly abouts: ReadonlyMap<string, string>
}

export function shareServers(
  starts: ReadonlyMap<string, Start>,
  credentials: Credentials,
  signal: AbortSignal,
): Shared {
  let running: AsyncDisposableStack | undefined
  let servers: Promise<readonly Server[]> | undefined
  const abouts = new Map<string, string>()
  const start = async (): Promise<readonly Server[]> => {
    running = new AsyncDisposableStack()
    const started = await startTogether({ credentials, signal }, running, starts)
    for (const { name, about } of started) abouts.set(name, about)
    return started
  }
  const all = (): Promise<readonly Server[]> => {
    servers ??= start()
    return servers
  }
  const drop = async (): Promise<void> => {
    const old = running
    running = undefined
    servers = undefined
    await old?.disposeAsync()
  }
  return {
    all,
    one: async (wanted) => (starts.has(wanted) ? (await all()).find(({ name }) => name === wanted) : undefined),
    drop,
    abouts,
    [Symbol.asyncDispose]: drop,
  }
}
