/** What /proc says about a server: all of its processes, their CPU time and their memory. Linux only. */
import { readdirSync, readFileSync } from 'node:fs'
import { cpus } from 'node:os'

/** USER_HZ: the unit of /proc/PID/stat; 100 on every Linux that Node runs on (proc(5), `getconf CLK_TCK`). */
const tickMs = 10

interface Stat {
  readonly pid: number
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
  // man proc_pid_stat: (14) utime, (15) stime, (16) cutime, (17) cstime, (20) num_threads; `fields` begins with (3).
  const childrenMs = (at(13) + at(14)) * tickMs
  const name = text.slice(text.indexOf('(') + 1, text.lastIndexOf(')'))
  return { pid, name, cpuMs: (at(11) + at(12)) * tickMs + childrenMs, childrenMs, threads: at(17) }
}

function* processes(): Generator<Stat> {
  for (const name of readdirSync('/proc')) {
    const one = /^\d+$/.test(name) ? stat(Number(name)) : undefined
    if (one !== undefined) yield one
  }
}

/** A process and all of its descendants: not by a look at every process there is, beside thousands of sshd's. */
function tree(root: number): Stat[] {
  const first = stat(root)
  const found = first === undefined ? [] : [first]
  for (let next = 0; next < found.length; next++) {
    for (const child of childrenOf(found[next])) {
      const one = stat(child)
      if (one !== undefined) found.push(one)
    }
  }
  return found
}

/** The process itself first. */
export const pidsOf = (root: number): readonly number[] => tree(root).map(({ pid }) => pid)

/** By the threads that started them (proc_pid_task(5): `children`). */
function childrenOf(parent: Stat | undefined): number[] {
  if (parent === undefined) return []
  const { pid, threads } = parent
  try {
    const tasks = threads === 1 ? [String(pid)] : readdirSync(`/proc/${pid}/task`)
    return tasks.flatMap((task) => pidsIn(readFileSync(`/proc/${pid}/task/${task}/children`, 'latin1')))
  } catch {
    // It, or one of its threads, ended meanwhile.
    return []
  }
}

const pidsIn = (text: string): number[] => text.split(' ').filter(Boolean).map(Number)

/**
 * CPU time in ms that the server has used so far: living processes and dead ones. A child's time moves into its parent's
 * when it is waited for, so nothing is counted twice.
 */
export const cpuMs = (root: number): number => cpuOf(tree(root))

/** Of thousands of processes the looks would be what costs most; their time is exact when they have ended. */
const mostExact = 32
const cpuOf = (processes: readonly Stat[]): number =>
  processes.reduce((sum, one) => sum + (processes.length > mostExact ? one.cpuMs : exactMs(one)), 0)

/** What shows whether a server is at rest. */
export interface State {
  readonly processes: number
  readonly cpuMs: number
}

export function stateOf(root: number): State {
  const found = tree(root)
  return { processes: found.length, cpuMs: cpuOf(found) }
}

/**
 * The ticks of /proc/PID/stat are cut off twice, for user and for system time: an error of up to 20 ms in each process. The
 * scheduler's own count is in ns (Documentation/scheduler/sched-stats.rst), but only of threads that live. Both are at most
 * the truth.
 */
function exactMs({ pid, cpuMs, childrenMs }: Stat): number {
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
