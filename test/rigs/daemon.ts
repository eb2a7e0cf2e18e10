/**
 * The real daemon, as an operator starts it: a config file, a child process, its log. Every log line is also recorded for
 * `npm run codes`.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join, relative, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { stringify } from 'yaml'

const root = resolve(import.meta.dirname, '../..')
export const cli = resolve(root, 'src/primary/cli.ts')

export interface LogLine {
  readonly timestamp: string
  readonly level: string
  readonly code: string
  readonly message: string
  readonly details: Readonly<Record<string, string | number | boolean>>
}

export interface Daemon {
  readonly port: number
  readonly pid: number
  readonly folder: string
  readonly configPath: string
  readonly lines: readonly LogLine[]
  /** Everything written to stderr. */
  stderr(): string
  /** Process ids of the cluster workers. */
  workers(): number[]
  /** The first log line for which `test` holds, past or to come. */
  line(code: string, test?: (line: LogLine) => boolean, timeoutMs?: number): Promise<LogLine>
  kill(signal: NodeJS.Signals): void
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>
  [Symbol.asyncDispose](): Promise<void>
}

/** Appends one recorded log line where `npm run codes` looks for it. */
export function record(line: string): void {
  const descriptor = recordFile()
  if (descriptor !== undefined) writeSync(descriptor, `${line}\n`)
}

let opened: number | undefined
/** Where records go, if anywhere. Open from the first call on, also when this process may open nothing there any more. */
export function recordFile(): number | undefined {
  const folder = process.env['CODES_DIR']
  if (folder === undefined) return undefined
  const test = basename(process.argv[1] ?? 'unknown')
  opened ??= openSync(join(folder, `${test}-${process.pid}.ndjson`), 'a')
  return opened
}

/** Waits until `probe` gives something else than undefined or false. */
export async function until<T>(what: string, probe: () => T | Promise<T>, timeoutMs = 15_000): Promise<NonNullable<T>> {
  const deadline = performance.now() + timeoutMs
  for (;;) {
    const value = await probe()
    if (value !== undefined && value !== null && value !== false) return value
    if (performance.now() > deadline) throw new Error(`waited ${timeoutMs} ms in vain for ${what}`)
    await sleep(20)
  }
}

/** Children of a process, from /proc. */
export function children(pid: number): number[] {
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim()
    return text === '' ? [] : text.split(' ').map(Number)
  } catch {
    return [] // the process is gone
  }
}

/** The command, of this checkout where it is seen at another place. */
export function cliIn(checkout = root): readonly string[] {
  const isOurs = (path: string): boolean => !relative(root, path).startsWith('..')
  return [process.execPath, cli].map((path) => (isOurs(path) ? join(checkout, relative(root, path)) : path))
}

/** Writes the configuration to a file of its own and runs the daemon on it. Its output arrives line by line. */
export async function startDaemon(
  config: Readonly<Record<string, unknown>>,
  options: {
    readonly folder?: string
    readonly env?: NodeJS.ProcessEnv
    /** A program that ends with exec of the command it is given. */
    readonly through?: readonly string[]
    /** Where that program sees this checkout. */
    readonly checkout?: string
  } = {},
): Promise<Daemon> {
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), 'containerssh-e2e-'))
  const configPath = join(folder, 'config.yaml')
  writeFileSync(configPath, stringify({ log: { level: 'debug' }, ...config }), { mode: 0o600 })
  const command = [...cliIn(options.checkout), '--config', configPath]
  const [program = '', ...args] = [...(options.through ?? []), ...command]
  const child = spawn(program, args, {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...options.env },
  })
  const daemon = watch(child, folder, configPath, options.folder === undefined)
  const up = await Promise.race([
    daemon.line('SERVICE_POOL_RUNNING', () => true, 60_000),
    daemon.exited.then(({ code, signal }) => {
      throw new Error(`the daemon ended (${signal ?? code}) before it served:\n${tail(daemon)}`)
    }),
  ])
  if (up === undefined) throw new Error('unreachable')
  const listening = await daemon.line('SSH_AVAILABLE')
  const port = Number(/:(\d+)$/.exec(listening.message.trim().replace(/\.$/, ''))?.[1])
  if (!Number.isInteger(port)) throw new Error(`no port in: ${listening.message}`)
  return { ...daemon, port }
}

const tail = (daemon: Daemon): string =>
  [...daemon.lines.slice(-20).map((line) => JSON.stringify(line)), daemon.stderr()].join('\n')

function watch(child: ChildProcess, folder: string, configPath: string, ownFolder: boolean): Daemon {
  const lines: LogLine[] = []
  const listeners = new Set<(line: LogLine) => void>()
  let stderr = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  if (child.stdout === null) throw new Error('unreachable: stdout is a pipe')
  const log = createInterface({ input: child.stdout })
  const logged = new Promise<void>((done) => log.once('close', done))
  log.on('line', (text) => {
    let line: LogLine
    try {
      line = JSON.parse(text) as LogLine
    } catch {
      stderr += `not a log line: ${text}\n`
      return
    }
    record(text)
    lines.push(line)
    for (const listener of listeners) listener(line)
  })
  const exited = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((done) => {
    child.on('exit', (code, signal) => done({ code, signal }))
  })
  /** Those who wait for a line that cannot come any more: their timers would hold the process of the test. */
  const waiting = new Set<(why?: string) => void>()
  let isOver = false
  void Promise.all([exited, logged]).then(() => {
    isOver = true
    for (const giveUp of waiting) giveUp()
  })
  const pid = child.pid ?? 0
  return {
    port: 0,
    pid,
    folder,
    configPath,
    lines,
    stderr: () => stderr,
    workers: () => children(pid).filter((id) => readFileSync(`/proc/${id}/cmdline`, 'utf8').includes('worker')),
    exited,
    kill: (signal) => child.kill(signal),
    line(code, test = () => true, timeoutMs = 15_000) {
      const past = lines.find((line) => line.code === code && test(line))
      if (past !== undefined) return Promise.resolve(past)
      return new Promise((done, fail) => {
        const stop = (): void => {
          clearTimeout(timer)
          listeners.delete(listener)
          waiting.delete(giveUp)
        }
        const giveUp = (why = 'before the daemon ended'): void => {
          stop()
          const seen = lines
            .slice(-12)
            .map((line) => `${line.code} ${line.message}`)
            .join('\n')
          fail(new Error(`no ${code} ${why}; last lines:\n${seen}\n${stderr}`))
        }
        const timer = setTimeout(() => giveUp(`within ${timeoutMs} ms`), timeoutMs)
        const listener = (line: LogLine): void => {
          if (line.code !== code || !test(line)) return
          stop()
          done(line)
        }
        listeners.add(listener)
        waiting.add(giveUp)
        if (isOver) giveUp()
      })
    },
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGTERM')
        const timer = setTimeout(() => child.kill('SIGKILL'), 30_000)
        await exited
        clearTimeout(timer)
      }
      if (ownFolder) rmSync(folder, { recursive: true, force: true })
    },
  }
}
