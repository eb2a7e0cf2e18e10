/**
 * Puts the files that the webhooks gave for a user into his container, before anything runs in it. The engine unpacks
 * them, so the image needs neither agent nor shell; see late-files.ts for those that it cannot. What cannot be written is
 * told in the log; the login goes on.
 */
import { posix } from 'node:path'
import type { Log } from '../../../shared/log.ts'
import { type TarFile, tarOf } from '../../../shared/tar.ts'
import type { FileDatum } from '../../../shared/webhook/data.ts'
import type { Occupant } from '../../ports.ts'
import { asEngineError, type EngineError, persist } from './failure.ts'
import type { Owner } from './owner.ts'
import type { DockerSettings, Room } from './room.ts'

/** For the user alone: files may be secrets. */
const mode = 0o600

export interface Target {
  readonly path: string
  readonly folder: string
  readonly name: string
  readonly content: Uint8Array
}

export interface Files {
  /** For the engine, before the container starts. */
  readonly early: readonly Target[]
  /** For a program, as soon as it runs. */
  readonly late: readonly Target[]
}

/** What is impossible in any case is told here. */
export function filesOf(settings: DockerSettings, { member }: Occupant, log: Log): Files {
  if (member.files.size === 0) return { early: [], late: [] }
  const targets = [...member.files].map(targetOf).filter((target) => isPossible(target, log))
  const { early = [], late = [] } = Object.groupBy(targets, ({ folder }) =>
    isLate(settings, folder) ? 'late' : 'early',
  )
  return { early, late }
}

export const hasLate = (settings: DockerSettings, files: Occupant['member']['files']): boolean =>
  [...files].map(targetOf).some((target) => obstacle(target) === undefined && isLate(settings, target.folder))

/** `signal`: the deadline of what the files are for. Never rejects. */
export async function writeEarly(
  room: Room,
  containerId: string,
  { early }: Files,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  if (early.length === 0) return
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(room.settings.timeouts.commandStart)])
  const write = { room, containerId, log, deadline }
  let owner: Owner
  try {
    owner = await room.images.owner(containerId, deadline)
  } catch (error) {
    for (const { path } of early) log.emit('DOCKER_FILE_WRITE_FAILED', { file: path, reason: reasonOf(error) })
    return
  }
  const folders = Map.groupBy(early, ({ folder }) => folder)
  for (const [folder, files] of folders) await writeFolder(write, folder, files, owner)
}

function targetOf([path, { value }]: readonly [string, FileDatum]): Target {
  const normal = posix.normalize(path)
  return {
    path,
    folder: posix.dirname(normal),
    name: normal.endsWith('/') ? '' : posix.basename(normal),
    content: value,
  }
}

function isPossible(target: Target, log: Log): boolean {
  const reason = obstacle(target)
  if (reason === undefined) return true
  log.emit('DOCKER_FILE_WRITE_FAILED', { file: target.path, reason })
  return false
}

/** Undefined: none. */
function obstacle({ folder, name }: Target): string | undefined {
  if (name === '') return 'the path is that of a folder'
  if (Buffer.byteLength(name) > 255) return 'the name is longer than 255 bytes'
  const ofKernel = ['/proc', '/sys'].find((mount) => isBelow(folder, mount))
  return ofKernel === undefined ? undefined : `${ofKernel} is the kernel's`
}

/**
 * A container gets its file systems in memory when it starts; what the engine wrote before, and even later, is hidden by
 * them. To a root that cannot be written it writes nothing at all but what is in a volume.
 */
function isLate({ execution: { host = {}, container } }: DockerSettings, folder: string): boolean {
  const { Mounts = [], Tmpfs = {}, Binds = [], ReadonlyRootfs = false } = host
  const inMemory = [
    ...['/dev', ...Object.keys(Tmpfs)],
    ...Mounts.flatMap(({ Type, Target }) => (Type === 'tmpfs' && Target !== undefined ? [Target] : [])),
  ]
  if (inMemory.some((mount) => isBelow(folder, mount))) return true
  if (!ReadonlyRootfs) return false
  const volumes = [
    ...Object.keys(container.Volumes ?? {}),
    ...Binds.map((bind) => bind.split(':')[1] ?? ''),
    ...Mounts.flatMap(({ Target }) => (Target === undefined ? [] : [Target])),
  ]
  return !volumes.some((mount) => mount !== '' && isBelow(folder, mount))
}

const isBelow = (folder: string, mount: string): boolean =>
  `${folder}/`.startsWith(`${posix.normalize(mount).replace(/\/$/, '')}/`)

interface Write {
  readonly room: Room
  readonly containerId: string
  readonly log: Log
  readonly deadline: AbortSignal
}

/** All files of a folder in one call; if they do not go together, each alone. */
async function writeFolder(write: Write, folder: string, files: readonly Target[], owner: Owner): Promise<void> {
  for (const { path } of files) write.log.emit('DOCKER_FILE_WRITE', { file: path })
  const failure = await put(write, folder, files, owner)
  if (failure === undefined) return
  for (const file of files) {
    const why = files.length === 1 ? failure : await put(write, folder, [file], owner)
    if (why !== undefined) write.log.emit('DOCKER_FILE_WRITE_FAILED', { file: file.path, reason: reasonOf(why) })
  }
}

async function put(
  { room, containerId, log, deadline }: Write,
  folder: string,
  files: readonly Target[],
  owner: Owner,
): Promise<EngineError | undefined> {
  const mtime = Math.floor(Date.now() / 1000)
  const archive = tarOf(files.map(({ name, content }): TarFile => ({ name, content, mode, mtime, ...owner })))
  try {
    await persist(() => room.engine.putArchive(containerId, folder, archive, deadline), {
      signal: deadline,
      permanent: ({ statusCode }) => statusCode !== 0,
      retrying: ({ reason }) => {
        const file = files.map(({ path }) => path).join(', ')
        log.emit('DOCKER_FILE_WRITE_FAILED', { file, reason }, { level: 'debug' })
      },
      failed: (_labels, error) => error,
    })
    return undefined
  } catch (error) {
    return asEngineError(error)
  }
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
