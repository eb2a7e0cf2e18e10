/** The OpenSSH client with a user who answers its questions. */
import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Daemon } from './daemon.ts'
import { anyHost, type Finished, finish } from './ssh.ts'

/** Answers to what ssh asks, by a word in the question. */
export type Answers = Readonly<Record<string, string>>

/** Runs ssh; what it asks is answered by a program, since nothing else can do it without a terminal. */
export function ssh(
  daemon: Pick<Daemon, 'port' | 'folder'>,
  user: string,
  answers: Answers,
  options: readonly string[],
  command: string,
): Promise<Finished> {
  const askpass = join(daemon.folder, `askpass-${Object.values(answers).join('-')}`)
  const cases = Object.entries(answers).map(([word, answer]) => `*${word}*) echo '${answer}';;`)
  writeFileSync(askpass, `#!/bin/sh\ncase "$1" in ${cases.join(' ')} esac\n`, { mode: 0o700 })
  const args = [...anyHost, ...options, '-p', String(daemon.port), `${user}@127.0.0.1`, command]
  const env = { ...process.env, SSH_ASKPASS: askpass, SSH_ASKPASS_REQUIRE: 'force' }
  return finish(spawn('ssh', args, { env, stdio: ['pipe', 'pipe', 'pipe'] }))
}
export const byPassword = ['-o', 'PreferredAuthentications=password', '-o', 'NumberOfPasswordPrompts=1']
