/** Puts the files that the webhooks gave for a user into his pod. What cannot be written is told in the log; the login goes on. */
import type { Log } from '../../../shared/log.ts'
import type { Occupant } from '../../ports.ts'
import { writingWords } from '../guest/write-file.ts'
import { type Place, runHelper } from './exec.ts'

/** Never rejects. */
export async function writeFiles(place: Place, { member }: Occupant, log: Log, signal: AbortSignal): Promise<void> {
  for (const [file, { value }] of member.files) {
    log.emit('KUBERNETES_FILE_WRITE', { file })
    const failed = (labels: { exitCode?: number; reason: string }): void =>
      log.emit('KUBERNETES_FILE_WRITE_FAILED', { file, ...labels })
    const command = writingWords(place.plan, file, value.length)
    if (command === undefined) {
      failed({ reason: 'the image has neither the guest agent nor a shell' })
      continue
    }
    const limited = AbortSignal.any([signal, AbortSignal.timeout(place.room.settings.timeouts.commandStart)])
    try {
      const input = { bytes: value, isCounted: place.plan.hasShell }
      const { exitCode, message } = await runHelper(place, command, log, limited, input)
      if (exitCode !== 0) failed({ reason: message, ...(exitCode !== undefined && { exitCode }) })
    } catch (error) {
      failed({ reason: (error as Error).message })
    }
  }
}
