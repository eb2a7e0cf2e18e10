/** Files and folders of control groups, which are those of the kernel. */
import { access, constants, mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sleep } from '../../../../shared/deadline.ts'

const pauseMs = 10

export const isWritable = (path: string): Promise<boolean> =>
  access(path, constants.W_OK).then(
    () => true,
    () => false,
  )

/** @throws Error */
export const put = (folder: string, file: string, value: string | number): Promise<void> =>
  writeFile(join(folder, file), String(value), { flag: 'r+' })

/** Some files are there with some kernels, or with accounting of swap, only. @throws Error for another reason */
export async function putIfThere(folder: string, file: string, value: string | number): Promise<boolean> {
  try {
    await put(folder, file, value)
    return true
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false
    throw error
  }
}

/** The number beside a key in a file of lines. @throws Error */
export async function numberIn(folder: string, file: string, key: string): Promise<number> {
  const text = await readFile(join(folder, file), 'utf8')
  const line = text.split('\n').find((one) => one.startsWith(`${key} `))
  if (line === undefined) throw new Error(`${join(folder, file)} has no ${key}`)
  return Number(line.slice(key.length))
}

/** Numbers of processes; empty when the group is gone. @throws Error */
export async function processesIn(folder: string): Promise<readonly number[]> {
  const text = await readFile(join(folder, 'cgroup.procs'), 'utf8').catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENODEV') return ''
    throw error
  })
  return text.split('\n').filter(Boolean).map(Number)
}

export function killAll(pids: readonly number[]): void {
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // it has just ended
    }
  }
}

/** Until the condition holds. @throws Error with the words when it does not in time */
export async function wait(holds: () => Promise<boolean>, until: number, words: string): Promise<void> {
  while (!(await holds())) {
    if (performance.now() > until) throw new Error(words)
    await sleep(pauseMs)
  }
}

/** Makes it, unless it is there. @throws Error */
export const makeFolder = (path: string): Promise<unknown> => mkdir(path, { recursive: true })

/** A group cannot be removed for some moments after its last process has ended. @throws Error */
export const removeFolder = (path: string, until: number): Promise<void> => {
  const gone = async (): Promise<boolean> => {
    try {
      await rmdir(path)
      return true
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return true
      if (codeOf(error) === 'EBUSY') return false
      throw error
    }
  }
  return wait(gone, until, `the control group ${path} is still in use`)
}

/** Names of groups in it. @throws Error */
export async function foldersIn(path: string): Promise<readonly string[]> {
  const entries = await readdir(path, { withFileTypes: true })
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name)
}

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code
