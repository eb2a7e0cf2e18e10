/** The load generator: built from `load/` with Go, run as a process of its own. */
import { spawn } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { resolve } from 'node:path'
import { createInterface } from 'node:readline'
import * as z from 'zod'
import { findGo } from '../scripts/go.ts'
import { runFile } from './process.ts'
import type { Method, Server } from './server.ts'

const source = resolve(import.meta.dirname, 'load')
/** Where programs of the bench are built, and a Go toolchain where the machine has none. */
export const cache = resolve(import.meta.dirname, '../.cache/bench')
const runLimitMs = 120_000
/** A whole question may pass while connections are held. */
const holdLimitMs = 600_000
/** The first time, Go compiles its own library too. */
const buildLimitMs = 600_000

const latency = z.object({ count: z.number(), p50: z.number(), p90: z.number(), p99: z.number(), max: z.number() })
/** CPU time of the generator itself. */
const own = { cpuSeconds: z.number() }
const bulk = { bytes: z.number(), mbPerSecond: z.number(), keyExchanges: z.number().optional() }
/** What each sub-command prints; latencies are microseconds. */
export const results = {
  login: z.object({ ...own, logins: z.number(), perSecond: z.number(), latencyUs: latency }),
  greet: z.object({ ...own, greeted: z.number(), perSecond: z.number(), latencyUs: latency }),
  exec: z.object({ ...own, commands: z.number(), perSecond: z.number(), latencyUs: latency }),
  down: z.object({ ...own, ...bulk }),
  up: z.object({ ...own, ...bulk }),
  echo: z.object({ ...own, latencyUs: latency }),
} as const
export type Load = typeof results

/** Builds the generator and returns its path; Go's own cache makes it cheap when nothing has changed. */
export async function buildLoad(signal?: AbortSignal): Promise<string> {
  const binary = resolve(cache, 'load')
  mkdirSync(cache, { recursive: true })
  const go = await findGo(cache)
  await runFile(go, ['build', '-C', source, '-o', binary, '.'], { timeout: buildLimitMs, ...(signal && { signal }) })
  return binary
}

/** Flags that every sub-command takes. */
export const targetFlags = (server: Server, method: Method = 'key'): string[] => [
  '-address',
  server.address,
  ...server.login(method),
]

/** Runs a sub-command to its end. Throws an Error with what it said on stderr when it fails. */
export async function runLoad<K extends keyof Load>(
  binary: string,
  kind: K,
  flags: readonly string[],
  signal: AbortSignal,
): Promise<z.infer<Load[K]>> {
  const { stdout } = await runFile(binary, [kind, ...flags], { timeout: runLimitMs, signal })
  return results[kind].parse(JSON.parse(stdout)) as z.infer<Load[K]>
}

/** A sub-command that holds what it has opened until it is disposed. */
export interface Held extends AsyncDisposable {
  /** Its first line. */
  readonly ready: unknown
  /** Says that it shall do it once more, with another amount perhaps, and returns the line that it answers with. */
  again(amount?: string): Promise<unknown>
  /** Lets go and returns its last line. */
  end(): Promise<unknown>
}

/** Runs `idle`, `hostile` or, with `-hold`, `echo`: resolves when it has printed its first line. */
export async function holdLoad(
  binary: string,
  kind: 'idle' | 'hostile' | 'echo',
  flags: readonly string[],
  signal: AbortSignal,
): Promise<Held> {
  const child = spawn(binary, [kind, ...flags], { stdio: ['pipe', 'pipe', 'pipe'], signal, timeout: holdLimitMs })
  let complaint = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint = (complaint + text).slice(-2000)
  })
  const failed = new Promise<never>((_, reject) => {
    child.once('error', reject)
    child.once('close', (code) => reject(new Error(complaint.trim() || `load ${kind} ended with status ${code}`)))
  })
  // Whoever waits sees the failure; nobody may be waiting.
  failed.catch(() => undefined)
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const line = async (): Promise<unknown> => {
    const next = await lines.next()
    return next.done === true ? failed : JSON.parse(next.value)
  }
  const ready = await line()
  return {
    ready,
    again: (amount = '') => {
      child.stdin.write(`${amount}\n`)
      return line()
    },
    end: () => {
      child.stdin.end()
      return line()
    },
    [Symbol.asyncDispose]: async () => {
      child.stdin.end()
      child.kill('SIGKILL')
      await failed.catch(() => undefined)
    },
  }
}
