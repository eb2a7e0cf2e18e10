/**
 * The place of the control socket. Each process listens at a name of its own, `PATH.PID`, and PATH is a link to that of the
 * process that takes new connections: so one that takes over replaces it in one step, the old one can still be reached at
 * its own name, and its end takes nothing away from the new one.
 */
import { execFile } from 'node:child_process'
import { chmodSync, lstatSync, readdirSync, readlinkSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { connect, type Server } from 'node:net'
import { basename, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { Fault, fault } from '../../shared/codes/fault.ts'
import type { Config } from '../../shared/config/index.ts'

const PROBE_MS = 1000
const CHGRP_MS = 5000

/** Undefined: there is to be none. `env`: what systemd says of `RuntimeDirectory=`, see systemd.exec(5). */
export function controlPathOf({ enable, path }: Config['control'], env: NodeJS.ProcessEnv): string | undefined {
  if (!enable) return undefined
  if (path !== '') return path
  const [folder = ''] = (env['RUNTIME_DIRECTORY'] ?? '').split(':')
  return folder === '' ? undefined : join(folder, 'control.sock')
}

/** Whether some process listens there. */
export function isAnswered(path: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const socket = connect(path)
  socket.setTimeout(PROBE_MS, () => resolve(true)) // its queue is full: somebody has it, and hangs
  socket.on('connect', () => resolve(true))
  // Not allowed: it is somebody else's, and he may well be there.
  socket.on('error', ({ code }: NodeJS.ErrnoException) => resolve(code === 'EACCES' || code === 'EAGAIN'))
  return promise.finally(() => socket.destroy())
}

/** Sockets of other processes of this daemon: names of files and process ids. */
export function siblingsOf(
  path: string,
  pid = process.pid,
): readonly { readonly path: string; readonly pid: number }[] {
  const start = `${basename(path)}.`
  return readdirSync(dirname(path)).flatMap((name) => {
    const number = name.startsWith(start) ? name.slice(start.length) : ''
    return /^\d+$/.test(number) && Number(number) !== pid
      ? [{ path: join(dirname(path), name), pid: Number(number) }]
      : []
  })
}

/**
 * Listens at the name of this process. `isRelieving`: another process may have the path, until it is claimed.
 * @throws Fault CONTROL_SOCKET_FAILED, CONTROL_SOCKET_IN_USE
 */
export async function listenAt(
  server: Server,
  path: string,
  { mode, group }: Config['control'],
  isRelieving: boolean,
): Promise<void> {
  const own = ownName(path)
  try {
    const there = lstatSync(path, { throwIfNoEntry: false })
    if (there !== undefined && !there.isSocket() && !there.isSymbolicLink()) throw new Error('a file is in its place')
    if (!isRelieving && (await isAnswered(path))) throw fault('CONTROL_SOCKET_IN_USE', { path })
    await removeDead(path)
    rmSync(own, { force: true }) // of a process that had our number before
    await listening(server, own)
    chmodSync(own, Number.parseInt(mode, 8))
    if (group !== '') await promisify(execFile)('chgrp', ['--', group, own], { timeout: CHGRP_MS })
  } catch (error) {
    throw failure(path, error)
  }
}

/** From now on the path leads to this process. @throws Fault CONTROL_SOCKET_FAILED */
export function claim(path: string): void {
  const own = ownName(path)
  const link = `${own}.link`
  try {
    rmSync(link, { force: true })
    symlinkSync(basename(own), link)
    renameSync(link, path)
  } catch (error) {
    throw failure(path, error)
  }
}

/** The path leads nowhere any more, unless another process has claimed it. The socket itself goes with its server. */
export function release(path: string): void {
  try {
    if (readlinkSync(path) === basename(ownName(path))) rmSync(path)
  } catch {
    // It has been removed already, or replaced by something else: not ours to take away.
  }
}

const ownName = (path: string): string => `${path}.${process.pid}`

async function removeDead(path: string): Promise<void> {
  for (const sibling of siblingsOf(path)) {
    if (!(await isAnswered(sibling.path))) rmSync(sibling.path, { force: true })
  }
}

/** Made for its owner alone: nobody may come before it has its mode and group. */
async function listening(server: Server, path: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  server.once('listening', resolve).once('error', reject)
  const umask = process.umask(0o177)
  try {
    server.listen(path)
  } finally {
    process.umask(umask)
  }
  await promise
  server.off('error', reject)
}

function failure(path: string, error: unknown): Fault {
  if (error instanceof Fault) return error
  const { message, stderr } = error as Error & { readonly stderr?: string } // of a program that failed
  return fault('CONTROL_SOCKET_FAILED', { path, reason: stderr?.trim() || message })
}
