/** What a question is, and what it answers with. */
import { performance } from 'node:perf_hooks'
import type { Clock } from './clock.ts'
import type { Samples } from './measure.ts'
import type { Peer } from './peer.ts'
import type { Credentials, Server, Start } from './server.ts'
import type { Shared } from './shared.ts'
import { ratio, type Summary, summarize } from './stats.ts'

/** What a question works with. */
export interface Bench {
  /** Path of the load generator. */
  readonly load: string
  readonly credentials: Credentials
  /** Ours first; for questions that need new servers, and no others' memory. */
  readonly starts: ReadonlyMap<string, Start>
  /** The same, already running, for all other questions. */
  readonly shared: Shared
  /** Gateways of others, as the user named them. */
  readonly peers: readonly Peer[]
  /** Small amounts: shows that everything works, not how fast it is. */
  readonly quick: boolean
  readonly signal: AbortSignal
  /** When the question should be over, as `performance.now()` has it: rounds that no longer fit are left out. */
  readonly endsAt: number
  readonly clock: Clock
  progress(text: string): void
}

/** What is left of the time, divided among so many parts that are still to come. */
export function part({ endsAt }: Bench, parts: number): Pick<Bench, 'endsAt'> {
  const now = performance.now()
  return { endsAt: now + Math.max(0, endsAt - now) / parts }
}

/** Of what is moved or done in a round: less in a warm-up, and less in a quick run. */
export const amount = ({ quick }: Bench, whole: number, isWarmUp = false): number =>
  Math.ceil((whole * (isWarmUp ? 1 / 4 : 1)) / (quick ? 5 : 1))

export interface Question {
  readonly name: string
  readonly title: string
  /** How it was measured, for the report. */
  readonly about: string
  /** Its part of a whole run, which is to take little more than ten minutes; set-up and tear-down included. */
  readonly seconds: number
  /** What a machine must have for all of it, besides Go and OpenSSH. */
  readonly needs?: string
  /** Without a PEER_NAME in the environment there is nothing to ask. */
  readonly needsPeer?: true
  /** Installs and builds what it needs, before anything is measured. Rejects with what is missing. */
  prepare?(): Promise<unknown>
  run(bench: Bench): Promise<Answer>
}

export interface Answer {
  readonly rows: readonly Row[]
  /** What could not be measured here, and other remarks; a sentence each. */
  readonly notes: readonly string[]
}

export interface Row {
  readonly label: string
  readonly unit: string
  /** Per server or path, in the order of the columns. */
  readonly sides: ReadonlyMap<string, Summary>
  /** Ours over each other side. */
  readonly ratios: ReadonlyMap<string, Summary>
  /** Whether a small ratio is good. */
  readonly better: 'lower' | 'higher'
  /** The ratios that we aim at, by the other side. */
  readonly targets: ReadonlyMap<string, number>
  /** What our own figure is to be, in its unit. */
  readonly limit: number | undefined
  /** Largest share of the machine that others used in any round: 0.1 is 10 %. */
  readonly otherShare: number
}

export interface RowSpec {
  /** Name in the figures. */
  readonly figure: string
  readonly label: string
  readonly unit: string
  readonly better?: 'lower' | 'higher'
  /** Ratio to sshd; to every other side where sshd is none of them. */
  readonly target?: number
  /** The side that the target is for, where it is another. */
  readonly against?: string
  readonly limit?: number
}

export const ours = 'ours'
/** The figure in which a measurement tells how much others disturbed it. */
export const otherShare = 'otherShare'

/** One row of the table per figure. */
export function rowsOf(samples: Samples, specs: readonly RowSpec[]): Row[] {
  const disturbed = [...samples.values()].flatMap((figures) => figures.get(otherShare) ?? [])
  return specs.map(({ figure, label, unit, better = 'lower', target, against, limit }) => {
    const sides = new Map<string, readonly number[]>()
    for (const [name, figures] of samples) {
      const values = figures.get(figure)
      if (values !== undefined) sides.set(name, values)
    }
    const mine = sides.get(ours)
    const others = mine === undefined ? [] : [...sides].filter(([name]) => name !== ours)
    return {
      label,
      unit,
      sides: new Map([...sides].map(([name, values]) => [name, summarize(values)])),
      ratios: new Map(others.map(([name, values]) => [name, ratio(mine ?? [], values)])),
      better,
      targets: new Map(target === undefined ? [] : aimedAt(others, against).map((name) => [name, target])),
      limit,
      otherShare: Math.max(0, ...disturbed),
    }
  })
}

function aimedAt(others: readonly (readonly [string, ...unknown[]])[], against = 'sshd'): string[] {
  const names = others.map(([name]) => name)
  if (names.includes(against)) return [against]
  return against === 'sshd' ? names : []
}

/** Gives the shared servers to `use`. */
export async function withServers<T>({ shared }: Bench, use: (servers: readonly Server[]) => Promise<T>): Promise<T> {
  try {
    return await use(await shared.all())
  } catch (error) {
    await shared.drop()
    throw error
  }
}

/** What this machine lacks is a note in the report; a measurement that fails is a failure. */
export async function orNote<T>(
  bench: Bench,
  prepare: () => Promise<T>,
  measure: (bench: Bench, found: T) => Promise<Answer>,
): Promise<Answer> {
  let found: T
  try {
    found = await prepare()
  } catch (error) {
    bench.signal.throwIfAborted()
    const reason = error instanceof Error ? error.message : String(error)
    return { rows: [], notes: [`Not measured: ${reason}`] }
  }
  return measure(bench, found)
}
