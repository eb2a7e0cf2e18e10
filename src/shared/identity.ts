/**
 * Who owns a container: a label that says which process made it, precise enough to tell after a crash, from any other
 * process of the same machine, whether that process is gone and its containers are orphans.
 */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'

/** Under whose name a worker creates containers. */
export interface Identity {
  /** The worker's own label. */
  readonly owner: string
  /** The configured name of the daemon, or the label of its primary process: the same for all of its workers. */
  readonly instance: string
}

/** `foreign`: a process whose state cannot be known from here, on another machine or in a sealed pid namespace. */
export type OwnerState = 'alive' | 'dead' | 'foreign'

/** Inode of the pid namespace that sees every process of the machine (PROC_PID_INIT_INO, linux/proc_ns.h). */
const INIT_PID_NAMESPACE = '4026531836'
const LABEL = /^([0-9a-f]{12})-([0-9a-f]{8})-(\d{1,12})-(\d{1,10})-(\d{1,20})$/

/**
 * The label of a running process: machine, boot, pid namespace, pid, start time. At most 63 characters out of
 * [0-9a-f-], so it is also a valid Kubernetes label value.
 */
export function ownerLabel(pid: number = process.pid): string {
  return [machine(), boot(), pidNamespace('self'), pid, startTime(pid) ?? '0'].join('-')
}

export function ownerState(label: string): OwnerState {
  const match = LABEL.exec(label)
  if (match === null) return 'foreign'
  const [, itsMachine, itsBoot, itsNamespace = '', itsPid, itsStart] = match
  if (itsMachine !== machine()) return 'foreign'
  if (itsBoot !== boot()) return 'dead'
  if (itsNamespace !== pidNamespace('self')) return namespaceState(itsNamespace)
  const pid = Number(itsPid)
  if (isHidden(pid)) return 'foreign'
  return startTime(pid) === itsStart ? 'alive' : 'dead'
}

/** A process of another user that /proc does not show (proc(5): hidepid), such as systemd's ProtectProc makes it. */
function isHidden(pid: number): boolean {
  if (readText(`/proc/${pid}/stat`) !== undefined) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH'
  }
}

/**
 * Machine id and host name together: clones of one disk image share the former, containers of one image the latter may
 * tell apart. Taking a stranger for ourselves would remove the stranger's containers; the other way round only leaves
 * some behind.
 */
function machine(): string {
  const id = readText('/etc/machine-id') ?? ''
  return createHash('sha256').update(`${id.trim()}\0${hostname()}`).digest('hex').slice(0, 12)
}

function boot(): string {
  return (readText('/proc/sys/kernel/random/boot_id') ?? '').slice(0, 8).padEnd(8, '0')
}

function pidNamespace(pid: string): string {
  try {
    return /\d+/.exec(readlinkSync(`/proc/${pid}/ns/pid`))?.[0] ?? '0'
  } catch {
    return '0' // no /proc, or a process of another user
  }
}

/** Clock ticks after boot, field 22 of proc_pid_stat(5); undefined when there is no such process or it is a zombie. */
function startTime(pid: number): string | undefined {
  const stat = readText(`/proc/${pid}/stat`)
  if (stat === undefined) return undefined
  // Field 2, the program's name, is in parentheses and may contain anything.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19]
}

/** Only root of the initial namespace sees all namespaces; for anybody else absence proves nothing. */
function namespaceState(inode: string): OwnerState {
  if (pidNamespace('self') !== INIT_PID_NAMESPACE || process.getuid?.() !== 0) return 'foreign'
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return pids.some((pid) => pidNamespace(pid) === inode) ? 'foreign' : 'dead'
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
