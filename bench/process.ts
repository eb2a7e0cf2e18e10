/** Child processes of the harness: servers that stay, commands that end. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'

const startLimitMs = 20_000
const stopLimitMs = 10_000

export const runFile = promisify(execFile)

/** A loopback port that is free now. */
export function freePort(): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  const server = createServer()
  server.once('error', reject)
  server.listen(0, '127.0.0.1', () => {
    const address = server.address()
    server.close(() =>
      address !== null && typeof address === 'object' ? resolve(address.port) : reject(new Error('no port')),
    )
  })
  return promise
}

function connects(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const socket = connect({ host: '127.0.0.1', port })
  socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
  return promise.finally(() => socket.destroy())
}

export interface Service extends AsyncDisposable {
  readonly pid: number
}

export interface ServiceOptions {
  readonly command: string
  readonly args: readonly string[]
  /** It is ready when it accepts connections there. */
  readonly port: number
  /** Gets stdout and stderr; its end is quoted when the service does not start. */
  readonly logFile: string
  readonly signal: AbortSignal
  readonly env?: NodeJS.ProcessEnv
}

/** Starts a server and waits until it listens. Throws an Error with the end of its log when it ends or stays silent. */
export async function startService(options: ServiceOptions): Promise<Service> {
  const log = openSync(options.logFile, 'a')
  const child = spawn(options.command, options.args, {
    stdio: ['ignore', log, log],
    env: { ...process.env, ...options.env },
  })
  closeSync(log)
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()).once('error', () => resolve()))
  const limit = Date.now() + startLimitMs
  while (!(await connects(options.port))) {
    options.signal.throwIfAborted()
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null || Date.now() > limit) {
      await stop(child, ended)
      const tail = readFileSync(options.logFile, 'utf8').trim().split('\n').slice(-5).join('\n')
      throw new Error(`${options.command} does not listen on port ${options.port}; the end of its log:\n${tail}`)
    }
    await sleep(20, undefined, { signal: options.signal })
  }
  return { pid: child.pid ?? 0, [Symbol.asyncDispose]: () => stop(child, ended) }
}

async function stop(child: ChildProcess, ended: Promise<void>): Promise<void> {
  child.kill('SIGTERM')
  const late = setTimeout(() => child.kill('SIGKILL'), stopLimitMs)
  await ended
  clearTimeout(late)
}
