/** Where this process is in the trees of control groups (cgroups(7)). */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** Folders of our own group. */
export interface Hierarchies {
  /** Of version 2; undefined: it is not mounted, or we are outside of what is. */
  readonly unified: string | undefined
  /** Of version 1, by controller. Several controllers may share one. */
  readonly byController: ReadonlyMap<string, string>
}

/** @throws Error when /proc cannot be read */
export async function findHierarchies(): Promise<Hierarchies> {
  const [groups, mounts] = await Promise.all([
    readFile('/proc/self/cgroup', 'utf8'),
    readFile('/proc/self/mountinfo', 'utf8'),
  ])
  return parseHierarchies(groups, mounts)
}

/** The texts of /proc/PID/cgroup and /proc/PID/mountinfo. */
export function parseHierarchies(groups: string, mounts: string): Hierarchies {
  const mounted = mounts.split('\n').flatMap(parseMount)
  const byController = new Map<string, string>()
  let unified: string | undefined
  for (const line of groups.split('\n')) {
    const [, number = '', names = '', path = ''] = /^(\d+):([^:]*):(.*)$/.exec(line) ?? []
    if (number === '0') unified = folderOf(mounted, 'cgroup2', [], path)
    for (const name of names.split(',')) {
      const folder = name === '' || number === '0' ? undefined : folderOf(mounted, 'cgroup', [name], path)
      if (folder !== undefined) byController.set(name, folder)
    }
  }
  return { unified, byController }
}

interface Mount {
  readonly root: string
  readonly point: string
  readonly type: string
  readonly options: readonly string[]
}

/** proc_pid_mountinfo(5): a number of optional fields ends with a dash. */
function parseMount(line: string): Mount[] {
  const [before = '', after = ''] = line.split(' - ')
  const [, , , root = '', point = ''] = before.split(' ').map(unescaped)
  const [type = '', , options = ''] = after.split(' ')
  return type.startsWith('cgroup') ? [{ root, point, type, options: options.split(',') }] : []
}

const unescaped = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))

function folderOf(
  mounted: readonly Mount[],
  type: string,
  options: readonly string[],
  path: string,
): string | undefined {
  if (path.split('/').includes('..')) return undefined
  for (const mount of mounted) {
    if (mount.type !== type || !options.every((option) => mount.options.includes(option))) continue
    if (mount.root === '/') return join(mount.point, path)
    if (path === mount.root || path.startsWith(`${mount.root}/`))
      return join(mount.point, path.slice(mount.root.length))
  }
  return undefined
}
