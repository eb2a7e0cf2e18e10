/** systemd's journal without systemd: journald with a namespace of its own, and what journalctl reads back from it. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, globSync, rmSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { until } from './daemon.ts'

export interface Journald {
  /** Of the native protocol. */
  readonly socket: string
  /** A stream such as systemd makes the standard output of a service; see systemd.exec(5), JOURNAL_STREAM. */
  stdout(identifier: string): Promise<Socket>
  /** The entries of the identifier, oldest first, with all their fields. */
  entries(identifier: string): Readonly<Record<string, string>>[]
  /** SIGSTOP and SIGCONT: a journal that does not read. */
  kill(signal: 'SIGSTOP' | 'SIGCONT'): void
  [Symbol.asyncDispose](): Promise<void>
}

const program = '/usr/lib/systemd/systemd-journald'

export async function startJournald(): Promise<Journald> {
  const namespace = `cssh${process.pid}`
  const folder = `/run/systemd/journal.${namespace}`
  const daemon = spawn(program, [namespace], { stdio: 'ignore' })
  await until('journald to listen', () => existsSync(`${folder}/socket`) && existsSync(`${folder}/stdout`), 30_000)
  const ctl = (...args: readonly string[]): string => {
    const run = spawnSync('journalctl', [`--namespace=${namespace}`, '--no-pager', ...args], {
      encoding: 'utf8',
      maxBuffer: 1 << 28,
    })
    if (run.status !== 0 && run.stderr !== '') throw new Error(`journalctl: ${run.stderr}`)
    return run.stdout
  }
  return {
    socket: `${folder}/socket`,
    async stdout(identifier) {
      // journald ends its own direction at once.
      const stream = connect({ path: `${folder}/stdout`, allowHalfOpen: true })
      await once(stream, 'connect')
      // Identifier, unit, priority (notice), prefixes of sd-daemon(3), and where to forward to: kernel log, syslog, console.
      await new Promise<void>((done) => stream.write(`${identifier}\n\n5\n1\n0\n0\n0\n`, () => done()))
      return stream
    },
    entries: (identifier) =>
      ctl('-o', 'json', '-a', `SYSLOG_IDENTIFIER=${identifier}`)
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Record<string, string>),
    kill: (signal) => daemon.kill(signal),
    async [Symbol.asyncDispose]() {
      const exited = once(daemon, 'exit')
      daemon.kill('SIGCONT')
      daemon.kill('SIGTERM')
      await exited
      for (const left of [folder, ...globSync(`/{run,var}/log/journal/*.${namespace}`)]) {
        rmSync(left, { recursive: true, force: true })
      }
    },
  }
}
