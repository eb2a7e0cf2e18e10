/** The files of sandboxes: the root is in memory, and what comes from outside is mounted below. */
import { lstat, readdir, readlink } from 'node:fs/promises'
import { join, posix } from 'node:path'
import { HELPER } from '../guest/plan.ts'
import type { SandboxSettings, Supplies } from './room.ts'
import type { Tool } from './tool.ts'

/** Of the machine's root, beside /usr: folders, or on today's systems links into it. */
const programFolders = ['bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32']
/** What programs look for in /etc, and what is no secret. */
const settingsFiles =
  'alternatives bash.bashrc ca-certificates debian_version inputrc ld.so.cache ld.so.conf ld.so.conf.d localtime mime.types nsswitch.conf os-release profile profile.d protocols services shells ssl/certs terminfo timezone'
const networkFiles = 'resolv.conf hosts gai.conf'
/** Of a directory: the kernel's, and what is in memory. */
const ownFolders = ['dev', 'proc', 'sys', 'tmp', 'run']
const sharedMemory = '/dev/shm'
/** What bubblewrap's `--dev` makes, but for the terminals, which need rights that it would then keep from the first process. */
const devices = [
  ...['--perms', '0755', '--size', '65536', '--tmpfs', '/dev'],
  ...['null', 'zero', 'full', 'random', 'urandom', 'tty'].flatMap((name) => [
    '--dev-bind',
    `/dev/${name}`,
    `/dev/${name}`,
  ]),
  ...['stdin', 'stdout', 'stderr'].flatMap((name, number) => ['--symlink', `/proc/self/fd/${number}`, `/dev/${name}`]),
  ...['--symlink', '/proc/self/fd', '/dev/fd', '--symlink', '/proc/kcore', '/dev/core'],
  ...['--symlink', 'pts/ptmx', '/dev/ptmx', '--dir', '/dev/pts', '--dir', sharedMemory],
]

/** Words of bubblewrap, which sandbox-init knows as well; see guest/internal/sandbox/room.go. */
export interface Ground {
  /** What the tool mounts. */
  readonly base: readonly string[]
  /** What comes after that: with words that bubblewrap does not know if it is done inside. */
  readonly rest: readonly string[]
}

/** @throws Error when the directory cannot be read */
export async function groundOf(settings: SandboxSettings, supplies: Supplies, tool: Tool): Promise<Ground> {
  const { rootfs, user, limits } = settings
  const { isFinishedInside } = tool
  const size = ['--size', String(limits.disk)]
  const files =
    rootfs.source === 'host' ? await hostFiles(settings, supplies) : await directoryFiles(settings, supplies)
  const inodes = isFinishedInside && limits.inodes > 0 ? ['--inodes', String(limits.inodes)] : []
  const memory = [...size, ...inodes, '--perms', '1777', '--tmpfs']
  const base = [
    ...[...size, '--perms', '0755', '--tmpfs', '/'],
    ...files,
    ...['--proc', '/proc', ...(isFinishedInside ? devices : ['--dev', '/dev'])],
    ...openFolder('/tmp'),
    ...(files.includes('/var') ? [] : openFolder('/var/tmp')),
    ...['--perms', '0755', '--dir', '/run', '--perms', '0700', '--dir', user.home],
    ...['--ro-bind', supplies.agent, HELPER],
  ]
  const rest = [
    ...(isFinishedInside ? ['--devpts', '/dev/pts'] : []),
    ...[...memory, sharedMemory, '--remount-ro', '/dev'],
    ...(files.includes('/var') && (await isFolder(join(rootfs.path, '/var/tmp'))) ? [...memory, '/var/tmp'] : []),
    ...(inodes.length === 0 ? [] : [...size, ...inodes, '--remount', '/']),
  ]
  return { base, rest }
}

const openFolder = (path: string): string[] => ['--perms', '1777', '--dir', path]
const readOnly = (from: string, to = from): string[] => ['--ro-bind', from, to]

async function hostFiles({ network }: SandboxSettings, { passwd, group, hosts }: Supplies): Promise<string[]> {
  const folders = await Promise.all(programFolders.map((name) => entry('/', name)))
  const names = `${settingsFiles}${network === 'host' ? ` ${networkFiles}` : ''}`.split(' ')
  return [
    ...readOnly('/usr'),
    ...folders.flat(),
    ...names.flatMap((name) => ['--ro-bind-try', `/etc/${name}`, `/etc/${name}`]),
    ...[...readOnly(passwd, '/etc/passwd'), ...readOnly(group, '/etc/group')],
    ...(network === 'host' ? [] : readOnly(hosts, '/etc/hosts')),
  ]
}

/** Entry by entry: in a root that is mounted as a whole and read-only, nothing could be mounted where there is nothing. */
async function directoryFiles({ rootfs, user, network }: SandboxSettings, { hosts }: Supplies): Promise<string[]> {
  const { path } = rootfs
  const homeFolder = posix.normalize(user.home).split('/')[1]
  const names = (await readdir(path)).filter((name) => !ownFolders.includes(name) && name !== homeFolder)
  const files = (await Promise.all(names.map((name) => entry(path, name)))).flat()
  // Of the network that there is, as an engine does; files, for nothing can be made in a folder of the root.
  for (const name of network === 'host' ? networkFiles.split(' ') : ['hosts']) {
    const own = `/etc/${name}`
    if (await isFile(join(path, own))) files.push('--ro-bind-try', network === 'host' ? own : hosts, own)
  }
  return files
}

/** False: it is something else, or not there. */
async function isFolder(path: string): Promise<boolean> {
  const found = await lstat(path).catch(() => undefined)
  return found?.isDirectory() === true
}
async function isFile(path: string): Promise<boolean> {
  const found = await lstat(path).catch(() => undefined)
  return found?.isFile() === true
}

async function entry(root: string, name: string): Promise<string[]> {
  const path = join(root, name)
  const found = await lstat(path).catch(() => undefined)
  if (found === undefined) return []
  return found.isSymbolicLink() ? ['--symlink', await readlink(path), `/${name}`] : readOnly(path, `/${name}`)
}
