/**
 * Listen sockets that this process was started with: from systemd (sd_listen_fds(3)), or from the process that it takes
 * over from. Each is for one listener, known by its name.
 */
import { fault } from '../shared/codes/fault.ts'

export const socketNames = ['ssh', 'metrics', 'health'] as const
export type SocketName = (typeof socketNames)[number]

export interface Sockets {
  /** File descriptors. */
  readonly listening: Readonly<Partial<Record<SocketName, number>>>
  /** Where the process that is to be relieved waits for word that we serve. */
  readonly relieved: number | undefined
}

const FIRST_FD = 3
/** Instead of LISTEN_PID, which whoever starts a process cannot know: the process id of the parent. */
export const HANDOVER = 'CONTAINERSSH_HANDOVER'
/** What a descriptor is called that is no socket. */
export const RELIEVED = 'relieved'

/** Takes the variables out of `env`, so that children do not find them. @throws Fault CORE_SOCKETS_UNKNOWN */
export function takeSockets(env: NodeJS.ProcessEnv, pid = process.pid, parent = process.ppid): Sockets {
  const { LISTEN_PID: forPid, LISTEN_FDS: count, LISTEN_FDNAMES: names = '', [HANDOVER]: from } = env
  for (const name of ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES', HANDOVER]) delete env[name]
  if (count === undefined || (from === undefined ? Number(forPid) !== pid : Number(from) !== parent)) {
    return { listening: {}, relieved: undefined }
  }
  const total = Number(count)
  const given = names === '' ? [] : names.split(':')
  const found = new Map<string, number>()
  for (let index = 0; index < total; index++) {
    const name = nameOf(given[index], total)
    if (name === undefined || found.has(name)) throw fault('CORE_SOCKETS_UNKNOWN', { names, count: total })
    found.set(name, FIRST_FD + index)
  }
  const relieved = found.get(RELIEVED)
  found.delete(RELIEVED)
  return { listening: Object.fromEntries(found), relieved }
}

/** A single socket is that of SSH, whatever its unit calls it. */
function nameOf(given: string | undefined, total: number): string | undefined {
  if ([...socketNames, RELIEVED].some((known) => known === given)) return given
  return total === 1 ? 'ssh' : undefined
}
