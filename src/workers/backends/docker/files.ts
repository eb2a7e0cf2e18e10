/**
 * Puts the files that the webhooks gave for a user into his container, before anything runs in it. The engine unpacks
 * them, so the image needs neither agent nor shell. What cannot be written is told in the log; the login goes on.
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

interface Target {
  readonly path: string
  readonly folder: string
  readonly name: string
  readonly content: Uint8Array
}

/** `signal`: the deadline of what the files are for. Never rejects. */
export async function writeFiles(
  room: Room,
  { member }: Occupant,
  containerId: string,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  if (member.files.size === 0) return
  const targets = [...member.files].map(targetOf).filter((target) => isPossible(room.settings, target, log))
  if (targets.length === 0) return
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(room.settings.timeouts.commandStart)])
  const write = { room, containerId, log, deadline }
  let owner: Owner
  try {
    owner = await room.images.owner(containerId, deadline)
  } catch (error) {
    for (const { path } of targets) log.emit('DOCKER_FILE_WRITE_FAILED', { file: path, reason: reasonOf(error) })
    return
  }
  const folders = Map.groupBy(targets, ({ folder }) => folder)
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

function isPossible(settings: DockerSettings, { path, folder, name }: Target, log: Log): boolean {
  const reason = obstacle(settings, folder, name)
  if (reason === undefined) return true
  log.emit('DOCKER_FILE_WRITE_FAILED', { file: path, reason })
  return false
}

/** Undefined: none. A container gets its file systems in memory when it starts; what was written before is hidden. */
function obstacle({ execution }: DockerSettings, folder: string, name: string): string | undefined {
  if (name === '') return 'the path is that of a folder'
  if (Buffer.byteLength(name) > 255) return 'the name is longer than 255 bytes'
  const mounts = execution.host?.Mounts ?? []
  const inMemory = [
    ...['/proc', '/sys', '/dev'],
    ...Object.keys(execution.host?.Tmpfs ?? {}),
    ...mounts.flatMap(({ Type, Target }) => (Type === 'tmpfs' && Target !== undefined ? [Target] : [])),
  ]
  const hiding = inMemory.find((mount) => `${folder}/`.startsWith(`${posix.normalize(mount).replace(/\/$/, '')}/`))
  return hiding === undefined ? undefined : `${hiding} is a file system in memory, which is empty at the start`
}

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
