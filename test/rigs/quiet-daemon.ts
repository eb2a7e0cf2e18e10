/** A daemon whose log goes elsewhere than to a standard output that we read. */
import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { freePort } from '../../bench/process.ts'
import { cli, record, until } from './daemon.ts'
import { configFor, uniqueUser } from './login.ts'
import { type Client, client, makeKey } from './ssh.ts'

export interface QuietDaemon extends AsyncDisposable {
  readonly child: ChildProcess
  readonly client: Client
  readonly folder: string
  /** Everything written to standard error, where that is a pipe. */
  stderr(): string
  /** SIGTERM; resolves to the exit status. */
  stop(): Promise<number | null>
}

export interface QuietOptions {
  readonly log: Readonly<Record<string, unknown>>
  /** Other sections. */
  readonly config?: Readonly<Record<string, unknown>>
  readonly stdio?: StdioOptions
  /** What runs the daemon: its command line is appended. */
  readonly wrapper?: readonly string[]
}

/** With one user and the Docker backend; ready when it greets clients. */
export async function startQuietDaemon({ log, config: more, stdio, wrapper = [] }: QuietOptions): Promise<QuietDaemon> {
  const folder = mkdtempSync(join(tmpdir(), 'containerssh-quiet-'))
  const [key, user, port] = [makeKey(), uniqueUser(), await freePort()]
  const listen = `127.0.0.1:${port}`
  const config = await configFor(user, key, { ssh: { listen }, config: { ...more, log: { level: 'debug', ...log } } })
  writeFileSync(join(folder, 'config.yaml'), stringify(config))
  const [command = '', ...args] = [...wrapper, process.execPath, cli, '--config', join(folder, 'config.yaml')]
  const child = spawn(command, args, { stdio: stdio ?? ['ignore', 'ignore', 'pipe'] })
  let stderr = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
    for (const line of text.split('\n')) if (line.startsWith('{')) record(line)
  })
  const stop = async (): Promise<number | null> => {
    if (child.exitCode === null && child.signalCode === null) {
      const exited = once(child, 'exit')
      child.kill('SIGTERM')
      const timer = setTimeout(() => child.kill('SIGKILL'), 30_000)
      await exited
      clearTimeout(timer)
    }
    return child.exitCode
  }
  await until('the daemon to greet', () => child.exitCode !== null || greets(port), 60_000)
  if (child.exitCode !== null) throw new Error(`the daemon ended (${child.exitCode}) before it served: ${stderr}`)
  return {
    child,
    folder,
    client: client(port, key, user),
    stderr: () => stderr,
    stop,
    async [Symbol.asyncDispose]() {
      await stop()
      key[Symbol.dispose]()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

const greets = (port: number): Promise<boolean> => knock(port, 1).then(([greeted]) => greeted ?? false)

/** Connects so often, says nothing and leaves; whether each was greeted. */
export const knock = (port: number, times: number): Promise<boolean[]> =>
  Promise.all(
    Array.from(
      { length: times },
      () =>
        new Promise<boolean>((resolve) => {
          const socket = connect(port, '127.0.0.1')
          socket.once('data', () => {
            resolve(true)
            socket.destroy()
          })
          socket.once('error', () => resolve(false)).once('close', () => resolve(false))
        }),
    ),
  )
