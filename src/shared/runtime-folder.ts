/** Where small things live that end with the daemon or with the machine. */
import { lstatSync, type Stats, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** systemd's, `/run/containerssh` as root, else below `XDG_RUNTIME_DIR` or, named by the user ID, below the folder for temporary files. */
export function runtimeFolder(env: NodeJS.ProcessEnv = process.env, uid = process.getuid?.()): string {
  const [systemd = ''] = (env['RUNTIME_DIRECTORY'] ?? '').split(':')
  if (systemd !== '') return systemd
  if (uid === 0) return '/run/containerssh'
  const runtime = env['XDG_RUNTIME_DIR'] ?? ''
  return runtime === '' ? join(tmpdir(), `containerssh-${uid}`) : join(runtime, 'containerssh')
}

/** In it, for each worker, the streams of programs; see the Docker backend's `direct/`. */
export const streamsFolder = (): string => join(runtimeFolder(), 'streams')

/** Of a folder in which several users make theirs, and nobody removes another's (inode(7): the sticky bit). */
export const SHARED_MODE = 0o1777

/**
 * A folder in which nobody but us, root and our parent process can replace what is ours.
 * @throws Error with a sentence; NodeJS.ErrnoException
 */
export function checkOwned(path: string): void {
  const found: Stats = lstatSync(path)
  const trusted = [process.getuid?.(), 0, statSync(`/proc/${process.ppid}`).uid]
  const isOpen = (found.mode & 0o022) !== 0 && (found.mode & 0o1000) === 0
  if (found.isDirectory() && trusted.includes(found.uid) && !isOpen) return
  throw new Error(`${path} is not a folder of our own that only we can write to`)
}
