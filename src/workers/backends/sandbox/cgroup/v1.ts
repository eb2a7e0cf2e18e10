/** Version 1: each controller has a tree of its own. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
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
import { type Bound, type Group, type GroupLimits, type Groups, quotaUs } from './group.ts'

const controllers = ['memory', 'pids', 'cpu', 'cpuacct', 'freezer'] as const
type Controller = (typeof controllers)[number]

const boundBy: Readonly<Record<Bound, Controller>> = {
  memory: 'memory',
  pids: 'pids',
  cpu: 'cpu',
  cpuTime: 'cpuacct',
}

/** Undefined: none of them is ours to write to. `byController`: folders of our own group. */
export async function openV1(byController: ReadonlyMap<string, string>): Promise<Groups | undefined> {
  const parents = new Map<Controller, string>()
  for (const controller of controllers) {
    const folder = byController.get(controller)
    if (folder !== undefined && (await isWritable(folder))) parents.set(controller, folder)
  }
  const bounds = new Set<Bound>()
  for (const [bound, controller] of Object.entries(boundBy)) if (parents.has(controller)) bounds.add(bound as Bound)
  if (bounds.size === 0) return undefined
  const open = (name: string): Group =>
    groupOf(new Map([...parents].map(([controller, parent]) => [controller, join(parent, name)])))
  return {
    version: 'v1',
    bounds,
    async make(name, limits) {
      const group = open(name)
      try {
        for (const parent of parents.values()) await makeFolder(join(parent, name))
        await bound((controller) => parents.get(controller), name, limits)
        return group
      } catch (error) {
        await group.end(0).catch(() => undefined) // the reason is told
        throw error
      }
    },
    async names() {
      const found = await Promise.all([...new Set(parents.values())].map(foldersIn))
      return [...new Set(found.flat())]
    },
    open,
  }
}

async function bound(
  parentOf: (controller: Controller) => string | undefined,
  name: string,
  { memory, pids, cpuPercent }: GroupLimits,
): Promise<void> {
  const [forMemory, forPids, forCpu] = (['memory', 'pids', 'cpu'] as const).map(parentOf)
  if (forMemory !== undefined && memory > 0) {
    const folder = join(forMemory, name)
    await put(folder, 'memory.limit_in_bytes', memory)
    // Memory and swap together; only where swap is accounted.
    await putIfThere(folder, 'memory.memsw.limit_in_bytes', memory)
  }
  if (forPids !== undefined && pids > 0) await put(join(forPids, name), 'pids.max', pids)
  if (forCpu !== undefined && cpuPercent > 0) await put(join(forCpu, name), 'cpu.cfs_quota_us', quotaUs(cpuPercent))
}

function groupOf(folders: ReadonlyMap<Controller, string>): Group {
  const all = [...new Set(folders.values())]
  const freezer = folders.get('freezer')
  return {
    // Not cgroup.procs: a thread that moves itself alone need not wait for a lock of all processes of the machine.
    entrances: all.map((folder) => join(folder, 'tasks')),
    async outOfMemoryKills() {
      const folder = folders.get('memory')
      return folder === undefined ? 0 : numberIn(folder, 'memory.oom_control', 'oom_kill')
    },
    async processorTime() {
      const folder = folders.get('cpuacct')
      return folder === undefined ? 0 : Number(await readFile(join(folder, 'cpuacct.usage'), 'utf8')) / 1e6
    },
    async end(timeoutMs) {
      const until = performance.now() + timeoutMs
      if (freezer !== undefined) await killFrozen(freezer, until)
      for (const folder of all) {
        const isEmpty = async (): Promise<boolean> => {
          const left = await processesIn(folder)
          killAll(left)
          return left.length === 0
        }
        await wait(isEmpty, until, `processes of ${folder} do not end`)
        await removeFolder(folder, until)
      }
    },
  }
}

/** What is frozen starts nothing new while it is being killed. */
async function killFrozen(folder: string, until: number): Promise<void> {
  if ((await processesIn(folder)).length === 0) return
  await put(folder, 'freezer.state', 'FROZEN')
  try {
    const isFrozen = async (): Promise<boolean> =>
      (await readFile(join(folder, 'freezer.state'), 'utf8')).trim() === 'FROZEN'
    await wait(isFrozen, until, `processes of ${folder} do not stop`)
    killAll(await processesIn(folder))
  } finally {
    await put(folder, 'freezer.state', 'THAWED')
  }
}
