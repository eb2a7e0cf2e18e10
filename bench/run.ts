/** One run: every question that was chosen, one after the other. */
import { performance } from 'node:perf_hooks'
import { spentText, startClock, sumMs } from './clock.ts'
import { secondsOf } from './plan.ts'
import type { Bench, Question } from './question.ts'
import type { Answered, Missing } from './report/result.ts'
import { terminalTable } from './report/table.ts'

export interface Asked {
  readonly answered: readonly Answered[]
  readonly missing: readonly Missing[]
}

/** One line that is written over and over; nothing when nobody watches. */
function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`)
}

/** Builds and installs what the questions need. What fails here will fail again, and be told, when its question is asked. */
export async function prepare(chosen: readonly Question[], signal: AbortSignal): Promise<void> {
  const start = performance.now()
  for (const question of chosen) {
    if (signal.aborted) return
    progress(`preparing ${question.name}`)
    await question.prepare?.().catch((error: Error) => process.stderr.write(`${question.name}: ${error.message}\n`))
  }
  progress('')
  process.stderr.write(`prepared in ${((performance.now() - start) / 1000).toFixed(1)} s\n`)
}

/**
 * Asks. A question that fails leaves the others alone; when the signal stops the run, what has been answered by then is
 * the outcome.
 */
export async function ask(
  chosen: readonly Question[],
  bench: Omit<Bench, 'endsAt' | 'clock' | 'progress'>,
): Promise<Asked> {
  const answered: Answered[] = []
  const missing: Missing[] = []
  let planned = performance.now()
  for (const question of chosen) {
    const clock = startClock()
    const wholeMs = secondsOf(question, bench.peers.length > 0) * 1000
    planned += wholeMs
    // What earlier ones took beyond their time, later ones go without.
    const endsAt = Math.min(performance.now() + wholeMs, planned)
    try {
      bench.signal.throwIfAborted()
      const own = { ...bench, endsAt, clock, progress: (text: string) => progress(`${question.name}: ${text}`) }
      const answer = await question.run(own)
      progress('')
      const one = { question, answer, date: new Date().toISOString() }
      answered.push(one)
      process.stdout.write(`${terminalTable(one)}\n\n`)
    } catch (error) {
      progress('')
      // What a question says when its children were ended under it is not why it has no answer.
      const reason = bench.signal.aborted ? bench.signal.reason : error
      const why = reason instanceof Error ? reason.message : String(reason)
      missing.push({ name: question.name, why })
      if (!bench.signal.aborted) process.stderr.write(`bench: ${question.name}: ${why}\n`)
    }
    if (bench.signal.aborted) continue
    const spent = clock.read()
    process.stderr.write(
      `${question.name}: ${(sumMs(spent) / 1000).toFixed(1)} s of ${question.seconds} (${spentText(spent)})\n`,
    )
  }
  return { answered, missing }
}
