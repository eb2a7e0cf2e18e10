/** `containerssh ctl`, as an operator runs it. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cliIn } from './daemon.ts'

export interface Said {
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs the command to its end; `cli`: the words that start it, e.g. as another user. */
export function ctl(socket: string, words: readonly string[], cli: readonly string[] = cliIn()): Promise<Said> {
  const { promise, resolve } = Promise.withResolvers<Said>()
  const [program = '', ...args] = [...cli, 'ctl', '--socket', socket, ...words]
  execFile(program, args, { timeout: 60_000 }, (error, stdout, stderr) => {
    resolve({ status: error === null ? 0 : Number(error.code), stdout, stderr })
  })
  return promise
}

/** What it says with `--json`. Throws an AssertionError when it fails. */
export async function document<T>(socket: string, words: readonly string[]): Promise<T> {
  const { status, stdout, stderr } = await ctl(socket, ['--json', ...words])
  assert.equal(status, 0, stderr)
  return JSON.parse(stdout) as T
}
