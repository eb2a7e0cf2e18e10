/** Programs of the machine, run with a time limit, with their output as lines. */
import { spawn } from 'node:child_process'
import { constants } from 'node:fs'
import { access } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { createInterface } from 'node:readline'

export interface RunOptions {
  readonly signal: AbortSignal
  readonly timeoutMs: number
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  readonly onLine?: (line: string) => void
}

export interface Ended {
  /** Null: ended by a signal. */
  readonly status: number | null
  /** Standard output. */
  readonly lines: readonly string[]
  /** The last lines of both outputs. */
  readonly last: readonly string[]
}

const mostLines = 100_000
const kept = 5

/** The program's full path; undefined if there is none in PATH or the folders of administrators. */
export const findProgram = async (name: string): Promise<string | undefined> => {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin', '/sbin']
  for (const folder of folders.filter((folder) => folder !== '')) {
    const path = join(folder, name)
    try {
      await access(path, constants.X_OK)
      return path
    } catch {
      // Not in this folder.
    }
  }
  return undefined
}

/** Resolves when it ended, whatever its status. Rejects when it cannot be started, was aborted, or took too long. */
export const runProgram = (program: string, args: readonly string[], options: RunOptions): Promise<Ended> => {
  const { timeoutMs, onLine, cwd } = options
  const timeout = AbortSignal.timeout(timeoutMs)
  const signal = AbortSignal.any([options.signal, timeout])
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...options.env },
      signal,
      ...(cwd === undefined ? {} : { cwd }),
    })
    const lines: string[] = []
    const last: string[] = []
    const take = (line: string): void => {
      last.push(line)
      if (last.length > kept) last.shift()
      onLine?.(line)
    }
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (lines.length < mostLines) lines.push(line)
      take(line)
    })
    createInterface({ input: child.stderr }).on('line', take)
    child.on('error', (error) => {
      const tooLong = timeout.aborted && !options.signal.aborted
      reject(tooLong ? new Error(`${program} took longer than ${timeoutMs / 1000} s`, { cause: error }) : error)
    })
    child.on('close', (status) => resolve({ status, lines, last }))
  })
}
