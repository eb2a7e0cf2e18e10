/** What a question is, and what it answers with. */
import type { Samples } from './measure.ts'
import type { Credentials, Server, Start } from './server.ts'
import { ratio, type Summary, summarize } from './stats.ts'

/** What a question works with. */
export interface Bench {
  /** Path of the load generator. */
  readonly load: string
  readonly credentials: Credentials
  /** Ours first. Each question starts its own, so that no question inherits another's memory. */
  readonly starts: ReadonlyMap<string, Start>
  /** Small amounts: shows that everything works, not how fast it is. */
  readonly quick: boolean
  readonly signal: AbortSignal
  progress(text: string): void
}

export interface Question {
  readonly name: string
  readonly title: string
  /** How it was measured, for the report. */
  readonly about: string
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
  /** The ratio to sshd that we aim at. */
  readonly target: number | undefined
  /** Largest share of the machine that others used in any round: 0.1 is 10 %. */
  readonly otherShare: number
}

export interface RowSpec {
  /** Name in the figures. */
  readonly figure: string
  readonly label: string
  readonly unit: string
  readonly better?: 'lower' | 'higher'
  readonly target?: number
}

export const ours = 'ours'
/** The figure in which a measurement tells how much others disturbed it. */
export const otherShare = 'otherShare'

/** One row of the table per figure. */
export function rowsOf(samples: Samples, specs: readonly RowSpec[]): Row[] {
  const disturbed = [...samples.values()].flatMap((figures) => figures.get(otherShare) ?? [])
  return specs.map(({ figure, label, unit, better = 'lower', target }) => {
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
      target,
      otherShare: Math.max(0, ...disturbed),
    }
  })
}

/** Starts all servers, gives them to `use`, and stops them whatever happens. */
export async function withServers<T>(bench: Bench, use: (servers: readonly Server[]) => Promise<T>): Promise<T> {
  await using running = new AsyncDisposableStack()
  const servers: Server[] = []
  for (const start of bench.starts.values()) servers.push(running.use(await start(bench.credentials, bench.signal)))
  return await use(servers)
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
