/** The files that the webhooks gave for a user. What cannot be written is told in the log; the login goes on. */
import { posix } from 'node:path'
import type { Log } from '../../../shared/log.ts'
import type { Member } from '../../ports.ts'
import { writingWords } from '../guest/write-file.ts'
import type { Place } from './exec.ts'
import { runHelper } from './helper.ts'
import type { Room } from './room.ts'

/** Never rejects. */
export async function writeFiles(
  { plan, settings }: Room,
  place: Place,
  files: Member['files'],
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  const limited = AbortSignal.any([signal, AbortSignal.timeout(settings.timeouts.commandStart)])
  for (const [file, { value }] of files) {
    log.emit('SANDBOX_FILE_WRITE', { file })
    const failed = (reason: string): void => log.emit('SANDBOX_FILE_WRITE_FAILED', { file, reason })
    const words = writingWords(plan, posix.normalize(file), value.length)
    if (words === undefined || file.endsWith('/')) {
      failed('the path is that of a folder')
      continue
    }
    try {
      const { exitCode, said } = await runHelper(place, words, limited, value)
      if (exitCode !== 0) failed(said === '' ? `the helper ended with ${exitCode}` : said)
    } catch (error) {
      failed(error instanceof Error ? error.message : String(error))
    }
  }
}
