/** Paths of an archive, which lead nowhere but into the folder that it is unpacked to, whatever its links say. */
import type { Stats } from 'node:fs'
import { lstat, mkdir, readlink } from 'node:fs/promises'
import { join } from 'node:path'

/** Like the kernel's own bound (path_resolution(7)). */
const mostLinks = 40

/** The names on the way. @throws Error for `..`, which no program that makes archives writes */
export function namesOf(path: string): string[] {
  const names = path.split('/').filter((name) => name !== '' && name !== '.')
  if (names.includes('..') || path.includes('\0')) {
    throw new Error('its path has "..", expected one below the root of the archive')
  }
  return names
}

export interface Contained {
  /**
   * The path below the root of the folder that these names lead to, all links followed as if the root were `/`. Folders
   * that are missing are made, or with `isOptional` it is undefined. @throws Error
   */
  folder(names: readonly string[], isOptional?: boolean): Promise<string | undefined>
  /** To be called when something was removed that may have been a folder, or a link to one. */
  forget(): void
}

export function contained(root: string): Contained {
  const known = new Map<string, string>()
  const walk = async (names: readonly string[], isOptional: boolean): Promise<string | undefined> => {
    const waiting = [...names].reverse()
    const here: string[] = []
    let links = 0
    for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
      if (name === '..') {
        here.pop()
        continue
      }
      const path = join(root, ...here, name)
      const found = await stateOf(path)
      if (found === undefined) {
        if (isOptional) return undefined
        await mkdir(path, { mode: 0o755 })
      } else if (found.isSymbolicLink()) {
        links += 1
        if (links > mostLinks) throw new Error(`there are more than ${mostLinks} links on the way, at ${name}`)
        const target = await readlink(path)
        if (target.startsWith('/')) here.length = 0
        waiting.push(
          ...target
            .split('/')
            .filter((part) => part !== '' && part !== '.')
            .reverse(),
        )
        continue
      } else if (!found.isDirectory()) {
        throw new Error(`${[...here, name].join('/')} on the way is not a folder`)
      }
      here.push(name)
    }
    return join(root, ...here)
  }
  return {
    async folder(names, isOptional = false) {
      const key = names.join('/')
      const found = known.get(key) ?? (await walk(names, isOptional))
      if (found !== undefined) known.set(key, found)
      return found
    },
    forget: () => known.clear(),
  }
}

/** Undefined: there is nothing. */
export async function stateOf(path: string): Promise<Stats | undefined> {
  try {
    return await lstat(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
