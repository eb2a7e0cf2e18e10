/** PuTTY without its window: plink runs commands, psftp and pscp copy files. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Copy, Errand, Program, SshClient } from './client.ts'

/** What has no option on the command line comes from a saved session. */
function environment(errand: Errand): NodeJS.ProcessEnv {
  const folder = join(errand.folder, 'putty')
  mkdirSync(join(folder, 'sessions'), { recursive: true })
  const limit = errand.rekeyBytes === undefined ? '1G' : String(errand.rekeyBytes)
  writeFileSync(join(folder, 'sessions', 'matrix'), `Protocol=ssh\nRekeyBytes=${limit}\n`)
  return { PUTTYDIR: folder, TERM: 'xterm' }
}

function options(errand: Errand): string[] {
  const args = ['-load', 'matrix', '-batch', '-hostkey', errand.hostKey, '-P', String(errand.port), '-noagent']
  if (errand.password !== undefined) args.push('-pw', errand.password)
  if (errand.keyFile !== undefined) args.push('-i', errand.keyFile)
  if (errand.verbose === true) args.push('-v')
  return args
}

const login = (errand: Errand): string => `${errand.user}@127.0.0.1`

export const putty: SshClient = {
  name: 'PuTTY plink and psftp',
  kex: 'curve25519-sha256',
  keys: ['ed25519', 'rsa', 'ecdsa'],
  convertKey: (from, to) => ({ command: 'puttygen', args: [from, '-O', 'private', '-o', to] }),
  run: (errand, command) => {
    const terminal = errand.terminal === true ? ['-t'] : ['-T']
    const args = ['-ssh', ...terminal, ...options(errand), login(errand), command]
    return { command: 'plink', args, env: environment(errand) }
  },
  rekeys: {},
  channels: { lacking: 'plink has one session per connection, unless it finds the connection of another plink' },
  copies: {
    psftp: (errand, copy) => batch(errand, copy),
  },
  exitSignal: /Session exited on .*signal "TERM"/,
}

function batch(errand: Errand, { from, remote, back }: Copy): Program {
  const file = join(errand.folder, 'psftp-batch')
  writeFileSync(file, `put ${from} ${remote}\nget ${remote} ${back}\n`)
  return { command: 'psftp', args: [...options(errand), '-b', file, login(errand)], env: environment(errand) }
}
