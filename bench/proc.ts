/** What /proc says about a server: all of its processes, their CPU time and their memory. Linux only. */
import { readdirSync, readFileSync } from 'node:fs'
import { cpus } from 'node:os'

/** USER_HZ: the unit of /proc/PID/stat; 100 on every Linux that Node runs on (proc(5), `getconf CLK_TCK`). */
const tickMs = 10

interface Stat {
  readonly pid: number
  readonly parent: number
  /** At most 15 characters. */
  readonly name: string
  /** User and system time of the process and of its children that were waited for, in ms. */
  readonly cpuMs: number
  /** The part of the children. */
  readonly childrenMs: number
  readonly threads: number
}

/** Fields of /proc/PID/stat after the command name, which may contain blanks and parentheses. */
function stat(pid: number): Stat | undefined {
  let text: string
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'latin1')
  } catch {
    // It ended between the listing and now.
    return undefined
  }
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const at = (index: number): number => Number(fields[index])
  // man proc_pid_stat: (4) ppid, (14) utime, (15) stime, (16) cutime, (17) cstime, (20) num_threads; `fields` begins with (3).
  const childrenMs = (at(13) + at(14)) * tickMs
  const name = text.slice(text.indexOf('(') + 1, text.lastIndexOf(')'))
  return { pid, parent: at(1), name, cpuMs: (at(11) + at(12)) * tickMs + childrenMs, childrenMs, threads: at(17) }
}

function* processes(): Generator<Stat> {
  for (const name of readdirSync('/proc')) {
    const one = /^\d+$/.test(name) ? stat(Number(name)) : undefined
    if (one !== undefined) yield one
  }
}

/** A process and all of its descendants. */
function tree(root: number): Stat[] {
  const children = new Map<number, Stat[]>()
  const found: Stat[] = []
  for (const one of processes()) {
    if (one.pid === root) found.push(one)
    const siblings = children.get(one.parent)
    if (siblings === undefined) children.set(one.parent, [one])
    else siblings.push(one)
  }
  for (let next = 0; next < found.length; next++) found.push(...(children.get(found[next]?.pid ?? 0) ?? []))
  return found
}

/**
 * CPU time in ms that the server has used so far: living processes and dead ones. A child's time moves into its parent's
 * when it is waited for, so nothing is counted twice.
 */
export const cpuMs = (root: number): number => tree(root).reduce((sum, one) => sum + exactMs(one), 0)

/**
 * The ticks of /proc/PID/stat are cut off twice, for user and for system time: an error of up to 20 ms in each process. The
 * scheduler's own count is in ns (Documentation/scheduler/sched-stats.rst), but only of threads that live. Both are at most
 * the truth. A process of one thread is one of many of sshd's, whose time comes with its end.
 */
function exactMs({ pid, cpuMs, childrenMs, threads }: Stat): number {
  if (threads === 1) return cpuMs
  let ns = 0
  try {
    for (const thread of readdirSync(`/proc/${pid}/task`))
      ns += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1').split(' ')[0])
  } catch {
    // A thread ended meanwhile, or this kernel has no such count.
    return cpuMs
  }
  return Math.max(cpuMs, ns / 1e6 + childrenMs)
}

/** CPU time in ms of those of our children that have ended. */
export const endedChildrenMs = (): number => stat(process.pid)?.childrenMs ?? 0

/** CPU time in ms of the processes of these names and of their children that were waited for, by process. */
export const cpuMsNamed = (names: ReadonlySet<string>): ReadonlyMap<number, number> =>
  new Map([...processes()].filter(({ name }) => names.has(name)).map(({ pid, cpuMs }) => [pid, cpuMs]))

/** What those who still run have used in between. */
export const grownMs = (before: ReadonlyMap<number, number>, after: ReadonlyMap<number, number>): number =>
  [...after].reduce((sum, [pid, ms]) => sum + ms - (before.get(pid) ?? 0), 0)

export const processCount = (root: number): number => tree(root).length

/**
 * Resident memory in kB, shared pages divided among those who share them (PSS). Without the kernel's own part: socket
 * buffers, page tables, task structures.
 */
export function pssKb(root: number): number {
  let sum = 0
  for (const { pid } of tree(root)) {
    try {
      sum += Number(/^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1'))?.[1] ?? 0)
    } catch {
      // It ended between the listing and now.
    }
  }
  return sum
}

/** Time in ms that all cores together spent on anything since the machine started. */
export function machineBusyMs(): number {
  return cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0)
}
