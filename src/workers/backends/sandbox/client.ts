/** The only file that starts bubblewrap or unshare: one process per sandbox, which ends with it. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { rename } from 'node:fs/promises'
import { createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { sleep } from '../../../shared/deadline.ts'
import { descriptorOf } from '../../../shared/http-listen.ts'

export interface Spec {
  /** What makes the sandbox, and runs our first process in it. */
  readonly program: string
  readonly words: readonly string[]
  /** Where its socket is to be. */
  readonly folder: string
  /** Path of the seccomp filter. */
  readonly filter: string
  /** User and group that it is started as; undefined: our own. */
  readonly uid: number | undefined
  /** What has failed is waited for so long. */
  readonly stopMs: number
}

export interface Sandboxed {
  /** Takes starts of programs; nothing in the sandbox can reach it. */
  readonly socket: string
  /** Of orders, one a line. When it ends, the sandbox does. */
  readonly control: Socket
  /** Settles with the reason when it is all over. Never rejects. */
  readonly ended: Promise<string>
  kill(): void
}

const mostSaidChars = 2000

/** @throws Error with its words when it ended before the first process was ready; the signal's reason */
export async function launch(spec: Spec, signal: AbortSignal): Promise<Sandboxed> {
  signal.throwIfAborted()
  const socket = join(spec.folder, 'socket')
  const child = await start(spec, socket)
  // `stdio` says that it is a pipe, which Node makes as a socket.
  const control = child.stdio[3] as Socket
  let said = ''
  let isOver = false
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    if (said.length < mostSaidChars) said += text
  })
  control.on('error', () => undefined) // it ends as well
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message))
    // Not before the last process has closed standard error.
    child.once('close', (code, name) => {
      isOver = true
      resolve(said.trim() || `it ended with ${name ?? code}`)
    })
  })
  const kill = (): void => {
    control.destroy()
    // The tool may end before its child knows that it is to end with it; until then the child is of its group.
    if (!isOver && child.pid !== undefined) killGroup(child.pid)
  }
  try {
    await ready(control, ended, signal)
  } catch (error) {
    kill()
    await Promise.race([ended, sleep(spec.stopMs)])
    throw error
  }
  return { socket, control, ended, kill }
}

/** There is somebody in it, or its number could be another's. */
function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // all have just ended
  }
}

/** The socket listens before the sandbox is there: it is handed over, so the sandbox sees none of its folder. */
async function start(spec: Spec, socket: string): Promise<ChildProcess> {
  const { program, words, filter, uid } = spec
  const listener = createServer()
  const unnamed = `${socket}~`
  // Not by the primary process, which is what listening in a worker of Node's cluster comes to.
  listener.listen({ path: unnamed, exclusive: true })
  await once(listener, 'listening')
  // Closing a listener removes its name.
  await rename(unnamed, socket)
  const filterFile = openSync(filter, 'r')
  try {
    const descriptor = descriptorOf(listener)
    if (descriptor === undefined || descriptor < 0) throw new Error('the listener has no descriptor')
    return spawn(program, words, {
      stdio: ['ignore', 'ignore', 'pipe', 'pipe', descriptor, filterFile],
      cwd: '/',
      detached: true, // a group of its own
      env: {},
      ...(uid === undefined ? {} : { uid, gid: uid }),
    })
  } finally {
    closeSync(filterFile)
    listener.close()
  }
}

function ready(control: Socket, ended: Promise<string>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const aborted = (): void => reject(signal.reason)
    signal.addEventListener('abort', aborted, { once: true })
    control.once('data', () => {
      signal.removeEventListener('abort', aborted)
      resolve()
    })
    ended.then((reason) => reject(new Error(reason))).catch(() => undefined)
  })
}
