import { setTimeout as sleep } from 'node:timers/promises'
import { holdLoad, targetFlags } from '../load.ts'
import { loopDelayMs } from '../loop-delay.ts'
import { type Figures, interleave, settle } from '../measure.ts'
import { startWith } from '../ours.ts'
import { freePort } from '../process.ts'
import { type Bench, ours, type Question, rowsOf } from '../question.ts'
import type { Server } from '../server.ts'
import { percentile } from '../stats.ts'

const sessions = 2000
const scrapes = { count: 10, everyMs: 100 }

/** Answers in ms. */
async function ask(url: string): Promise<number> {
  const start = performance.now()
  const page = await (await fetch(url)).text()
  if (!page.includes('containerssh_ssh_current_connections')) throw new Error(`${url} is not the metrics endpoint`)
  return performance.now() - start
}

/** Both sides are watched for as long; one of them is scraped meanwhile. */
async function measure(bench: Bench, server: Server, url: string, isWarmUp: boolean): Promise<Figures> {
  const { directory } = bench.credentials
  const isScraped = server.name === ours
  await loopDelayMs(server.pid, directory)
  const times: number[] = []
  for (let i = 0; i < (isWarmUp ? scrapes.count / 5 : scrapes.count); i++) {
    if (isScraped) times.push(await ask(url))
    await sleep(scrapes.everyMs, undefined, { signal: bench.signal })
  }
  const loopMs = await loopDelayMs(server.pid, directory)
  return isScraped ? { p50: percentile(times, 0.5), p99: percentile(times, 0.99), loopMs } : { loopMs }
}

export const scrape: Question = {
  name: 'scrape',
  title: 'Metrics',
  seconds: 16,
  about:
    `The page of the metrics with ${sessions} idle sessions, one scrape each ${scrapes.everyMs} ms, measured by a client on the same ` +
    "machine; the primary's event loop meanwhile, and for as long without scrapes.",
  async run(bench) {
    const count = bench.quick ? sessions / 10 : sessions
    const port = await freePort()
    const url = `http://127.0.0.1:${port}/metrics`
    const config = { metrics: { enable: true, listen: `127.0.0.1:${port}` } }
    await using server = await startWith({ backend: 'bench', config })(bench.credentials, bench.signal)
    bench.progress(`${count} sessions`)
    await using _held = await holdLoad(bench.load, 'idle', [...targetFlags(server), '-count', `${count}`], bench.signal)
    await settle(server, bench.signal)
    const sides = [server, { ...server, name: 'not scraped' }]
    const rounds = { ...bench, rounds: bench.quick ? 1 : 3, warmUp: 1 }
    const samples = await interleave(sides, rounds, (side, isWarmUp) => measure(bench, side, url, isWarmUp))
    const rows = rowsOf(samples, [
      { figure: 'p50', label: `scrape p50, ${count} sessions`, unit: 'ms' },
      { figure: 'p99', label: `scrape p99, ${count} sessions`, unit: 'ms' },
      { figure: 'loopMs', label: "primary's loop, p99 of its delay", unit: 'ms' },
    ])
    return { rows, notes: [] }
  },
}
