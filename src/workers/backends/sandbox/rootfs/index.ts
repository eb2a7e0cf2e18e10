/** `sandbox.rootfs.source: archive`: a folder made of an archive, once, for all workers and daemons that share the cache. */
import { execFile } from 'node:child_process'
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { newId } from '../../../../shared/id.ts'
import type { Log } from '../../../../shared/log.ts'
import type { SandboxSettings } from '../room.ts'
import { stateOf } from './contained.ts'
import { type Budget, createBudget, eachEntry } from './entries.ts'
import { hashOf, layersOf, unpackMembers } from './image.ts'
import { unpackInto } from './unpack.ts'

type Rootfs = SandboxSettings['rootfs']

const syncMs = 120_000
/** What was never finished and is as old as this is nobody's any more. */
const abandonedMs = 24 * 3600_000

/** The folder. @throws Error that names the archive, the place in it, and what was expected; the signal's reason */
export async function unpackedRoot(rootfs: Rootfs, log: Log, signal: AbortSignal): Promise<string> {
  const { path } = rootfs
  try {
    const cache = await cacheFolder(rootfs)
    const target = join(cache, `sha256-${await hashOf(path, signal)}`)
    if ((await stateOf(target)) !== undefined) return target
    log.emit('SANDBOX_UNPACK', { file: path })
    await make(path, target, cache, rootfs, signal)
    log.emit('SANDBOX_UNPACK_SUCCESSFUL', { file: path })
    return target
  } catch (error) {
    signal.throwIfAborted()
    throw new Error(`the archive ${path}: ${(error as Error).message}`, { cause: error })
  }
}

/** Under its own name only when it is whole. Of several that make the same, the first wins. */
async function make(
  path: string,
  target: string,
  cache: string,
  { maxSize }: Rootfs,
  signal: AbortSignal,
): Promise<void> {
  await removeAbandoned(cache)
  const unfinished = `${target}.${newId().slice(0, 12)}~`
  const [root, scratch] = [join(unfinished, 'root'), join(unfinished, 'members')]
  try {
    for (const folder of [unfinished, root, scratch]) await mkdir(folder, { mode: 0o700 })
    const budget = createBudget(maxSize)
    if (await isImage(path, budget.copy(), signal)) await unpackImage(path, root, scratch, budget, signal)
    else await unpackPlain(path, root, budget, signal)
    // A name that outlives a loss of power must not do so without what it names.
    await promisify(execFile)('sync', ['--file-system', root], { signal, timeout: syncMs })
    await rename(root, target)
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error
  } finally {
    await rm(unfinished, { recursive: true, force: true })
  }
}

/** An image has its description at the top, and no programs. */
async function isImage(path: string, budget: Budget, signal: AbortSignal): Promise<boolean> {
  let described = false
  let programs = false
  await eachEntry(path, budget, signal, async (entry) => {
    const name = entry.path.replace(/^(\.?\/)+/, '')
    described ||= name === 'oci-layout' || name === 'manifest.json'
    programs ||= /^(bin|usr)(\/|$)/.test(name)
    entry.resume()
  })
  return described && !programs
}

async function unpackPlain(path: string, root: string, budget: Budget, signal: AbortSignal): Promise<void> {
  const unpacking = unpackInto(root, budget, signal)
  await unpacking.layer(path, false)
  if ((await readdir(root)).length === 0) throw new Error('it holds no files, expected those of a root directory')
  await unpacking.finish()
}

async function unpackImage(
  path: string,
  root: string,
  scratch: string,
  budget: Budget,
  signal: AbortSignal,
): Promise<void> {
  const layers = await layersOf(await unpackMembers(path, scratch, budget, signal))
  const unpacking = unpackInto(root, budget, signal)
  for (const [at, { archive, diffId }] of layers.entries()) {
    const place = `layer ${at + 1} of ${layers.length}`
    let found: string
    try {
      found = await unpacking.layer(archive, true)
    } catch (error) {
      throw new Error(`${place}, ${(error as Error).message}`, { cause: error })
    }
    if (found !== diffId) throw new Error(`${place} has the SHA-256 ${found}, expected ${diffId}`)
  }
  await unpacking.finish()
}

/** User IDs of sandboxes have to get through, nobody has to list it. @throws Error */
async function cacheFolder({ cache }: Rootfs): Promise<string> {
  const own = process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache')
  const preset = process.getuid?.() === 0 ? '/var/cache/containerssh' : join(own, 'containerssh')
  const path = join(cache === '' ? preset : cache, 'rootfs')
  await mkdir(path, { recursive: true, mode: 0o711 })
  const found = await stat(path)
  if (found.uid !== process.getuid?.() || (found.mode & 0o022) !== 0) {
    throw new Error(`its cache ${path} is not a folder of our own that only we can write to`)
  }
  return path
}

async function removeAbandoned(cache: string): Promise<void> {
  for (const name of await readdir(cache)) {
    if (!name.endsWith('~')) continue
    const path = join(cache, name)
    const found = await stateOf(path)
    if (found !== undefined && Date.now() - found.mtimeMs > abandonedMs)
      await rm(path, { recursive: true, force: true })
  }
}
