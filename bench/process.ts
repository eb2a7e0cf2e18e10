/** Child processes of the harness: servers that stay, commands that end. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'

const startLimitMs = 20_000
const stopLimitMs = 10_000

export const runFile = promisify(execFile)

const given = new Set<number>()

/** A loopback port that is free now, and that nobody here was given before: servers start at the same time. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = await anyPort()
    if (given.has(port)) continue
    given.add(port)
    return port
  }
}

function anyPort(): Promise<number> {
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
  living.add(child)
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()).once('error', () => resolve()))
  try {
    await listens(child, options)
  } catch (error) {
    await stop(child, ended)
    throw error
  }
  return { pid: child.pid ?? 0, [Symbol.asyncDispose]: () => stop(child, ended) }
}

async function listens(child: ChildProcess, { command, port, logFile, signal }: ServiceOptions): Promise<void> {
  const limit = Date.now() + startLimitMs
  while (!(await connects(port))) {
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null || Date.now() > limit) {
      const tail = readFileSync(logFile, 'utf8').trim().split('\n').slice(-5).join('\n')
      throw new Error(`${command} does not listen on port ${port}; the end of its log:\n${tail}`)
    }
    await sleep(20, undefined, { signal })
  }
}

async function stop(child: ChildProcess, ended: Promise<void>): Promise<void> {
  child.kill('SIGTERM')
  const late = setTimeout(() => child.kill('SIGKILL'), stopLimitMs)
  await ended
  clearTimeout(late)
  living.delete(child)
}

const living = new Set<ChildProcess>()
/** Servers of whoever is ended without having the time to stop them. */
process.on('exit', () => {
  for (const child of living) child.kill('SIGTERM')
})
