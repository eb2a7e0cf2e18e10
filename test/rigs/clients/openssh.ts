/** The OpenSSH client of the machine. */
import { writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { anyHost } from '../ssh.ts'
import type { Copy, Errand, Program, SshClient } from './client.ts'

const channelsScript = resolve(import.meta.dirname, 'openssh-channels.sh')

function options(errand: Errand): string[] {
  const args = [...anyHost, '-o', 'IdentitiesOnly=yes', '-o', 'IdentityAgent=none']
  if (errand.keyFile === undefined) args.push('-o', 'PreferredAuthentications=password')
  else args.push('-o', 'BatchMode=yes', '-i', errand.keyFile)
  if (errand.rekeyBytes !== undefined) args.push('-o', `RekeyLimit=${errand.rekeyBytes}`)
  if (errand.verbose === true) args.unshift('-v', '-o', 'LogLevel=DEBUG1')
  return args
}

/** A password comes from a program that prints it; nothing else can give ssh one without a terminal. */
function environment({ folder, password }: Errand): NodeJS.ProcessEnv {
  if (password === undefined) return {}
  const file = join(folder, 'askpass')
  writeFileSync(file, `#!/bin/sh\necho '${password}'\n`, { mode: 0o700 })
  return { SSH_ASKPASS: file, SSH_ASKPASS_REQUIRE: 'force' }
}

const host = (errand: Errand): string => `${errand.user}@127.0.0.1`
const port = (errand: Errand): string => String(errand.port)

export const openssh: SshClient = {
  name: 'OpenSSH',
  kex: 'curve25519-sha256',
  keys: ['ed25519', 'rsa', 'ecdsa'],
  run: (errand, command) => {
    const terminal = errand.terminal === true ? ['-tt'] : []
    const args = [...options(errand), ...terminal, '-p', port(errand), host(errand), command]
    return { command: 'ssh', args, env: environment(errand) }
  },
  rekeys: {},
  channels: (errand, count, command): Program => {
    const control = join(errand.folder, 'control')
    const args = [channelsScript, String(count), control, command, ...options(errand), '-p', port(errand), host(errand)]
    return { command: 'sh', args, env: environment(errand) }
  },
  copies: {
    sftp: (errand, copy) => {
      const batch = join(errand.folder, 'sftp-batch')
      writeFileSync(batch, `put ${copy.from} ${copy.remote}\nget ${copy.remote} ${copy.back}\n`)
      return { command: 'sftp', args: [...options(errand), '-P', port(errand), '-b', batch, host(errand)] }
    },
    // One process, so one container: from here to the server to here.
    scp: (errand, copy) => shellCopy(errand, copy),
  },
  exitSignal: /rtype exit-signal/,
}

/** Both copies go over one connection, because the next one would meet another container. */
function shellCopy(errand: Errand, { from, remote, back }: Copy): Program {
  const control = ['-o', `ControlPath=${join(errand.folder, 'scp-control')}`]
  const ssh = [...options(errand), ...control, '-p', port(errand), host(errand)]
  const scp = [...options(errand), ...control, '-P', port(errand)]
  const quote = (words: readonly string[]): string => words.map((word) => `'${word}'`).join(' ')
  const there = quote([...scp, from, `${host(errand)}:${remote}`])
  const again = quote([...scp, `${host(errand)}:${remote}`, back])
  const script = `ssh -M -N -f ${quote(ssh)} && scp ${there} && scp ${again}; s=$?; ssh -O exit ${quote(ssh)}; exit $s`
  return { command: 'sh', args: ['-c', script] }
}
