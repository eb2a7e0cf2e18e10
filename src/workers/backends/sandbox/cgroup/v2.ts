/** Version 2: one tree for all controllers, of which the daemon has a part that systemd gave it (`Delegate=yes`). */
import { readFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import {
  foldersIn,
  isWritable,
  killAll,
  makeFolder,
  numberIn,
  processesIn,
  put,
  putIfThere,
  removeFolder,
  wait,
} from './files.ts'
import { type Bound, CPU_MAX, type Group, type Groups } from './group.ts'

/** Of the daemon's own processes, as in `DelegateSubgroup=` of our unit. */
const DAEMON = 'containerssh-daemon'

/** Bounds that need a controller, which has the same name. Processor time is counted without one. */
const controlled = ['memory', 'pids', 'cpu'] as const

/**
 * `own`: folder of our own group. `wanted`: bounds that there have to be; others are there as far as they can. @throws Error with a sentence when they are not
 * to be had
 */
export async function openV2(own: string, wanted: readonly Bound[]): Promise<Groups> {
  const offered = await words(baseOf(own), 'cgroup.controllers')
  const used = controlled.filter((name) => wanted.includes(name) || offered.includes(name))
  const base = await delegate(own, used)
  const bounds = new Set<Bound>([...used, 'cpuTime'])
  return {
    version: 'v2',
    bounds,
    async make(name, { memory, pids, cpuPercent }) {
      const folder = join(base, name)
      const group = groupOf(folder)
      try {
        await makeFolder(folder)
        if (bounds.has('memory') && memory > 0) {
          await put(folder, 'memory.max', memory)
          await putIfThere(folder, 'memory.swap.max', 0)
        }
        if (bounds.has('pids') && pids > 0) await put(folder, 'pids.max', pids)
        if (bounds.has('cpu') && cpuPercent > 0) await put(folder, 'cpu.max', CPU_MAX(cpuPercent))
        return group
      } catch (error) {
        await group.end(0).catch(() => undefined) // the reason is told
        throw error
      }
    },
    names: () => foldersIn(base),
    open: (name) => groupOf(join(base, name)),
  }
}

/**
 * The folder for groups of sandboxes, whose controllers are on. A group with processes cannot hand on controllers: ours
 * move into one below. @throws Error with a sentence
 */
export async function delegate(own: string, controllers: readonly string[]): Promise<string> {
  const base = baseOf(own)
  const missing = without(await words(base, 'cgroup.controllers'), controllers)
  if (missing.length > 0) throw new Error(`${base} has no controller for ${missing.join(', ')}`)
  const files = ['cgroup.procs', 'cgroup.subtree_control'].map((file) => join(base, file))
  for (const path of [base, ...files]) {
    if (!(await isWritable(path)))
      throw new Error(`${path} is not ours to write to (Delegate=yes in the unit gives it)`)
  }
  const off = without(await words(base, 'cgroup.subtree_control'), controllers)
  if (off.length === 0) return base
  await moveOut(base)
  await put(base, 'cgroup.subtree_control', off.map((name) => `+${name}`).join(' '))
  return base
}

const baseOf = (own: string): string => (basename(own) === DAEMON ? dirname(own) : own)

/** Several workers may do so at the same time. @throws Error when there are processes that are not the daemon's */
async function moveOut(base: string): Promise<void> {
  const pids = await processesIn(base)
  for (const pid of pids) {
    if (!(await isOurs(pid))) throw new Error(`${base} has processes of others, such as ${pid}`)
  }
  if (pids.length === 0) return
  const folder = join(base, DAEMON)
  await makeFolder(folder)
  for (const pid of pids) {
    await put(folder, 'cgroup.procs', pid).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ESRCH') throw error
    })
  }
}

/** The primary process, which is our parent, this one, and what either has started. */
async function isOurs(pid: number): Promise<boolean> {
  let at = pid
  while (at > 1) {
    if (at === process.pid || at === process.ppid) return true
    at = await parentOf(at)
  }
  return false
}

/** 0 for one that is gone; proc_pid_stat(5), whose second field may hold anything. */
async function parentOf(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1] ?? 0)
}

const words = async (folder: string, file: string): Promise<readonly string[]> =>
  (await readFile(join(folder, file), 'utf8')).trim().split(/\s+/)

const without = (has: readonly string[], wanted: readonly string[]): string[] =>
  wanted.filter((name) => !has.includes(name))

function groupOf(folder: string): Group {
  const isEmpty = async (): Promise<boolean> => (await processesIn(folder)).length === 0
  return {
    entrances: [join(folder, 'cgroup.procs')],
    outOfMemoryKills: () => numberIn(folder, 'memory.events', 'oom_kill'),
    processorTime: async () => (await numberIn(folder, 'cpu.stat', 'usage_usec')) / 1000,
    async end(timeoutMs) {
      const until = performance.now() + timeoutMs
      if (!(await isEmpty()) && !(await putIfThere(folder, 'cgroup.kill', 1))) {
        // Before Linux 5.14.
        await put(folder, 'cgroup.freeze', 1)
        killAll(await processesIn(folder))
      }
      await wait(isEmpty, until, `processes of ${folder} do not end`)
      await removeFolder(folder, until)
    },
  }
}
