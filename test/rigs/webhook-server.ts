/** `containerssh webhook-server` as an operator starts it: a child process and its log. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { cli, type LogLine, record, until } from './daemon.ts'

export interface WebhookServerProcess extends AsyncDisposable {
  readonly child: ChildProcess
  readonly lines: readonly LogLine[]
  /** The first record with the code, or another one in the order of the log, past or to come. */
  line(code: string, count?: number): Promise<LogLine>
  /** When it listens. */
  url(): Promise<string>
  /** Exit status. */
  readonly exited: Promise<number | null>
}

export const startWebhookServer = (args: readonly string[]): WebhookServerProcess =>
  watch(spawn(process.execPath, [cli, 'webhook-server', ...args], { stdio: ['ignore', 'pipe', 'inherit'] }))

/** Any program that writes such a log to its standard output. */
export function watch(child: ChildProcess): WebhookServerProcess {
  if (child.stdout === null) throw new Error('unreachable: stdout is a pipe')
  const lines: LogLine[] = []
  createInterface({ input: child.stdout }).on('line', (text) => {
    record(text)
    lines.push(JSON.parse(text) as LogLine)
  })
  const exited = once(child, 'close').then(([code]) => code as number | null)
  const line = (code: string, count = 1) => until(code, () => lines.filter((one) => one.code === code)[count - 1])
  return {
    child,
    lines,
    exited,
    line,
    url: async () => String((await line('AUTH_AVAILABLE')).details['url']),
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await exited
    },
  }
}
