/** SIGUSR2: the program on disk is started beside this process, on the same listen sockets, and takes over. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { Socket } from 'node:net'
import { within } from '../shared/deadline.ts'
import type { Log } from '../shared/log.ts'
import type { Service } from './services.ts'
import { HANDOVER, RELIEVED, type SocketName, socketNames } from './sockets.ts'

/** To read its configuration, start its workers and say so. */
const READY_MS = 60_000
/** What the new process says. */
const READY = 'ready\n'

export interface UpgradeOptions {
  readonly services: Readonly<Record<SocketName, Service | undefined>>
  readonly log: Log
  /** Beside the one that this process has. */
  readonly environment: NodeJS.ProcessEnv
  /** The successor serves. */
  handedOver(): void
}

/** The function never rejects. Once a successor serves, further calls do nothing. */
export function createUpgrade({ services, log, environment, handedOver }: UpgradeOptions): () => Promise<void> {
  const own = log.with({ module: 'core' })
  let going = false
  return async () => {
    if (going) return
    going = true
    const descriptors = new Map<SocketName, number>()
    for (const name of socketNames) {
      const descriptor = services[name]?.descriptor
      if (descriptor !== undefined) descriptors.set(name, descriptor)
    }
    try {
      const pid = await startSuccessor(descriptors, environment, own)
      own.emit('CORE_HANDED_OVER', { pid })
    } catch (error) {
      going = false
      own.emit('CORE_UPGRADE_FAILED', { reason: error instanceof Error ? error.message : String(error) })
      return
    }
    handedOver()
    for (const name of socketNames) services[name]?.handOver?.()
  }
}

/**
 * Resolves to the process id of the new server, once it serves.
 * @throws Error when there is none; then nothing has changed
 */
async function startSuccessor(
  descriptors: ReadonlyMap<SocketName, number>,
  environment: NodeJS.ProcessEnv,
  log: Log,
): Promise<number> {
  const [script, ...rest] = process.argv.slice(1)
  if (script === undefined) throw new Error('this process does not know its own program')
  const names = [...descriptors.keys(), RELIEVED]
  const child = spawn(process.execPath, [...process.execArgv, script, ...rest], {
    stdio: ['ignore', 'inherit', 'inherit', ...descriptors.values(), 'pipe'],
    env: {
      ...process.env,
      ...environment,
      LISTEN_FDS: String(names.length),
      LISTEN_FDNAMES: names.join(':'),
      [HANDOVER]: String(process.pid),
    },
    // Ctrl-C in a terminal is for the process that has it.
    detached: true,
  })
  try {
    await once(child, 'spawn')
    log.emit('CORE_UPGRADE_STARTED', { pid: child.pid ?? 0 })
    await within('the new process', READY_MS, undefined, () => isReady(child))
  } catch (error) {
    child.kill('SIGTERM')
    throw error
  }
  child.unref()
  return child.pid ?? 0
}

async function isReady(child: ChildProcess): Promise<void> {
  const word = child.stdio.at(-1)
  if (!(word instanceof Socket)) throw new Error('unreachable: the last descriptor is a pipe')
  let said = ''
  for await (const bytes of word) {
    said += String(bytes)
    if (said === READY) return
  }
  const [code, signal] =
    child.exitCode === null && child.signalCode === null
      ? await once(child, 'exit')
      : [child.exitCode, child.signalCode]
  throw new Error(`it ended (${signal ?? `exit status ${code}`})`)
}

/** Tells whoever started us to take over that we serve. `descriptor`: see `Sockets.relieved`. */
export function tellReady(descriptor: number): void {
  new Socket({ fd: descriptor, readable: false, writable: true }).on('error', () => undefined).end(READY)
}
