/** Files for places that exist only while the container runs, or that the engine does not write to: a program does it. */
import { posix } from 'node:path'
import type { Log } from '../../../shared/log.ts'
import { SHELL } from '../guest/command.ts'
import type { Plan } from '../guest/plan.ts'
import { runHelper } from './exec.ts'
import type { Files, Target } from './files.ts'
import type { Furnished } from './furnish.ts'
import type { Room } from './room.ts'

/** A file system in memory is empty at the start, so its folders are made, too. */
const WRITE = 'umask 077; mkdir -p "$2" && cat >"$1" && chmod 600 "$1"'

/** In a container that runs. `signal`: the deadline of what the files are for. Never rejects. */
export async function writeLate(
  room: Room,
  { containerId, plan }: Furnished,
  { late }: Files,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  for (const target of late) {
    const { path: file, content } = target
    log.emit('DOCKER_FILE_WRITE', { file })
    const words = wordsFor(plan, target)
    if (words === undefined) {
      const reason = 'only a program can write there, and the image has neither a shell nor the guest agent'
      log.emit('DOCKER_FILE_WRITE_FAILED', { file, reason })
      continue
    }
    try {
      const { exitCode, said } = await runHelper(room, containerId, words, log, signal, content)
      if (exitCode !== 0) log.emit('DOCKER_FILE_WRITE_FAILED', { file, exitCode, reason: said })
    } catch (error) {
      log.emit('DOCKER_FILE_WRITE_FAILED', { file, reason: error instanceof Error ? error.message : String(error) })
    }
  }
}

function wordsFor({ hasShell, agent }: Plan, { folder, name }: Target): readonly string[] | undefined {
  const path = posix.join(folder, name)
  if (hasShell) return [SHELL, '-c', WRITE, 'sh', path, folder]
  return agent === undefined ? undefined : [...agent, 'write-file', path]
}
