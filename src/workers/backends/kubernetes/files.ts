/** Puts the files that the webhooks gave for a user into his pod. What cannot be written is told in the log; the login goes on. */
import type { Log } from '../../../shared/log.ts'
import type { Occupant } from '../../ports.ts'
import { SHELL } from '../guest/command.ts'
import { type Place, runHelper } from './exec.ts'

/** For the user alone: files may be secrets. */
const WRITE = 'umask 077; mkdir -p "$(dirname "$1")" 2>/dev/null; cat > "$1"'

/** Never rejects. */
export async function writeFiles(place: Place, { member }: Occupant, log: Log, signal: AbortSignal): Promise<void> {
  for (const [file, { value }] of member.files) {
    log.emit('KUBERNETES_FILE_WRITE', { file })
    const failed = (labels: { exitCode?: number; reason: string }): void =>
      log.emit('KUBERNETES_FILE_WRITE_FAILED', { file, ...labels })
    if (place.by === 'none') {
      failed({ reason: 'the image has neither the guest agent nor a shell' })
      continue
    }
    const command =
      place.by === 'agent' ? [place.room.settings.pod.agentPath, 'write-file', file] : [SHELL, '-c', WRITE, 'sh', file]
    const limited = AbortSignal.any([signal, AbortSignal.timeout(place.room.settings.timeouts.commandStart)])
    try {
      const { exitCode, message } = await runHelper(place, command, log, limited, value)
      if (exitCode !== 0) failed({ reason: message, ...(exitCode !== undefined && { exitCode }) })
    } catch (error) {
      failed({ reason: (error as Error).message })
    }
  }
}
