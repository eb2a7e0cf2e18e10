/** Layers become one folder: https://github.com/opencontainers/image-spec/blob/v1.1.0/layer.md */
import type { Stats } from 'node:fs'
import { chmod, link, lutimes, mkdir, open, readdir, rm, symlink, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { ReadEntry } from 'tar'
import { contained, namesOf, stateOf } from './contained.ts'
import { type Budget, eachEntry } from './entries.ts'

const whiteout = '.wh.'
const opaque = '.wh..wh..opq'
/** Of AUFS, for itself. */
const privateWhiteout = '.wh..wh.'
/** Without set-user-ID and set-group-ID: they mean nothing in a sandbox, and much outside of it. */
const modeBits = 0o1777
/** Whatever an archive says: sandboxes get into the root, and we into each folder, if only to remove it. */
const openMode = 0o755
const ownMode = 0o700
const fileKinds = ['File', 'OldFile', 'ContiguousFile']

export interface Unpacking {
  /** Adds an archive, above those before. Resolves to the SHA-256 of what it holds, hexadecimal. @throws Error */
  layer(archive: string, hasWhiteouts: boolean): Promise<string>
  /** To be called at the end: until then folders can be written to, whatever their modes. @throws Error */
  finish(): Promise<void>
}

export function unpackInto(root: string, budget: Budget, signal: AbortSignal): Unpacking {
  const way = contained(root)
  const folderModes = new Map<string, number>([[root, openMode]])

  /** Whiteouts are about the layers below alone, so they go first, wherever they stand. */
  const hide = async (entry: ReadEntry): Promise<void> => {
    entry.resume()
    const names = namesOf(entry.path)
    const name = names.pop() ?? ''
    if (!name.startsWith(whiteout)) return
    if (name !== opaque && name.startsWith(privateWhiteout)) return
    const hidden = name.slice(whiteout.length)
    if (['', '.', '..'].includes(hidden)) throw new Error('it hides no file; expected a name after ".wh."')
    const folder = await way.folder(names, true)
    if (folder === undefined) return
    for (const one of name === opaque ? await readdir(folder) : [hidden]) await remove(join(folder, one))
  }
  const remove = async (path: string, there?: Stats): Promise<void> => {
    if (there?.isFile() === true) return unlink(path)
    await rm(path, { recursive: true, force: true })
    for (const folder of folderModes.keys())
      if (folder.startsWith(`${path}/`) || folder === path) folderModes.delete(folder)
    way.forget()
  }
  const put = async (entry: ReadEntry, hasWhiteouts: boolean): Promise<void> => {
    const names = namesOf(entry.path)
    const name = names.pop()
    const mode = (entry.mode ?? 0o755) & modeBits
    if (name === undefined) {
      if (entry.type === 'Directory') folderModes.set(root, mode | openMode)
      return void entry.resume()
    }
    if (hasWhiteouts && name.startsWith(whiteout)) return void entry.resume()
    const path = join((await way.folder(names)) ?? root, name)
    const there = await stateOf(path)
    if (entry.type === 'Directory') {
      if (there?.isDirectory() !== true) {
        if (there !== undefined) await remove(path, there)
        await mkdir(path, { mode: 0o755 })
      }
      folderModes.set(path, mode | ownMode)
      return void entry.resume()
    }
    if (there !== undefined) await remove(path, there)
    if (fileKinds.includes(entry.type)) return await writeEntry(path, entry, mode)
    entry.resume()
    if (entry.type === 'SymbolicLink') await symlink(entry.linkpath ?? '', path)
    else if (entry.type === 'Link') await link(await targetOf(entry.linkpath ?? ''), path)
    // What is left are devices and pipes, which sandboxes have of their own.
  }
  const targetOf = async (linked: string): Promise<string> => {
    const names = namesOf(linked)
    const name = names.pop()
    const folder = await way.folder(names, true)
    const path = folder === undefined || name === undefined ? undefined : join(folder, name)
    const found = path === undefined ? undefined : await stateOf(path)
    if (path === undefined || found === undefined || found.isDirectory()) {
      throw new Error(`it is a hard link to ${linked}, expected a file that stands before it in the archive`)
    }
    return path
  }
  return {
    async layer(archive, hasWhiteouts) {
      if (hasWhiteouts) await eachEntry(archive, budget.copy(), signal, hide)
      return eachEntry(archive, budget, signal, (entry) => put(entry, hasWhiteouts))
    },
    async finish() {
      // The innermost first: what is closed cannot be passed any more.
      for (const [path, mode] of [...folderModes].sort(([a], [b]) => b.length - a.length)) await chmod(path, mode)
    },
  }
}

async function writeEntry(path: string, entry: ReadEntry, mode: number): Promise<void> {
  const file = await open(path, 'wx', 0o600)
  try {
    for await (const chunk of entry) await file.writeFile(chunk)
    await file.chmod(mode)
  } finally {
    await file.close()
  }
  // Programs compare it, such as Python with what it has compiled.
  if (entry.mtime !== undefined) await lutimes(path, entry.mtime, entry.mtime)
}
