/** Files for places that exist only while the container runs, or that the engine does not write to: a program does it. */
import { posix } from 'node:path'
import type { Log } from '../../../shared/log.ts'
import { writingWords } from '../guest/write-file.ts'
import { runHelper } from './exec.ts'
import type { Files } from './files.ts'
import type { Furnished } from './furnish.ts'
import type { Room } from './room.ts'

/** In a container that runs. `signal`: the deadline of what the files are for. Never rejects. */
export async function writeLate(
  room: Room,
  { containerId, plan }: Furnished,
  { late }: Files,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  for (const target of late) {
    const { path: file, content, folder, name } = target
    log.emit('DOCKER_FILE_WRITE', { file })
    const words = writingWords(plan, posix.join(folder, name), content.length)
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
