/** A Docker engine that answers: the one that runs, else the one that is installed, else Debian's. */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sleep } from '../../shared/deadline.ts'
import { type Engine, engineState } from './engine.ts'
import { QuickstartError } from './failure.ts'
import { findProgram, runProgram } from './programs.ts'

export interface Setting extends Engine {
  /** Folder for what has to be kept. */
  readonly state: string
  readonly say: (text: string) => void
}

const packages = ['docker.io', 'iptables', 'ca-certificates']
const startLimitMs = 60_000

const isDebian = async (): Promise<boolean> => {
  try {
    const release = await readFile('/etc/os-release', 'utf8')
    return /^(ID|ID_LIKE)=.*\b(debian|ubuntu)\b/m.test(release)
  } catch {
    return false
  }
}

const apt = async (args: readonly string[], { say, signal }: Setting): Promise<void> => {
  const { status, last } = await runProgram('apt-get', args, {
    signal,
    timeoutMs: 900_000,
    env: { DEBIAN_FRONTEND: 'noninteractive' },
    onLine: (line) => {
      if (/^(Need to get|Setting up|Fetched)/.test(line)) say(`  ${line.replace(/ \.\.\.$/, '')}`)
    },
  })
  if (status === 0) return
  throw new QuickstartError(`apt-get ${args.join(' ')} failed:\n  ${last.join('\n  ')}`)
}

const install = async (setting: Setting): Promise<void> => {
  const isRoot = process.getuid?.() === 0
  if (!isRoot || !(await isDebian()) || (await findProgram('apt-get')) === undefined) {
    const who = isRoot ? '' : ', or run this as root on Debian or Ubuntu to have one installed'
    throw new QuickstartError(`No Docker engine answers on ${setting.socket}: install and start one${who}.`)
  }
  setting.say(`No Docker engine on this machine: installing Debian's (${packages.join(', ')}).`)
  await apt(['update'], setting)
  await apt(['install', '-y', '--no-install-recommends', ...packages], setting)
}

/** Its output goes to a file; it outlives this process, like every engine. */
const spawnDaemon = async (program: string, { state }: Setting): Promise<{ log: string; ended: () => boolean }> => {
  const log = join(state, 'dockerd.log')
  const file = await open(log, 'a', 0o600)
  try {
    const child = spawn(program, [], { detached: true, stdio: ['ignore', file.fd, file.fd], cwd: '/' })
    child.on('error', () => undefined)
    child.unref()
    return { log, ended: () => child.exitCode !== null || child.signalCode !== null || child.pid === undefined }
  } finally {
    await file.close()
  }
}

const lastLines = async (path: string): Promise<string> => {
  const lines = (await readFile(path, 'utf8')).trimEnd().split('\n')
  return lines.slice(-3).join('\n  ')
}

const start = async (setting: Setting): Promise<void> => {
  const { say, signal } = setting
  const program = await findProgram('dockerd')
  if (program === undefined) throw new QuickstartError('The Docker engine was installed, but there is no dockerd.')
  say('Starting the Docker engine.')
  let daemon: { log: string; ended: () => boolean } | undefined
  if (existsSync('/run/systemd/system')) {
    const { status, last } = await runProgram('systemctl', ['start', 'docker'], { signal, timeoutMs: startLimitMs })
    if (status !== 0) throw new QuickstartError(`systemctl start docker failed:\n  ${last.join('\n  ')}`)
  } else daemon = await spawnDaemon(program, setting)
  const limit = performance.now() + startLimitMs
  while (!(await engineState(setting)).answers) {
    if (daemon?.ended() === true) {
      throw new QuickstartError(`The Docker engine ended at once (${daemon.log}):\n  ${await lastLines(daemon.log)}`)
    }
    if (performance.now() > limit) {
      const where = daemon === undefined ? '' : `; see ${daemon.log}`
      throw new QuickstartError(`The Docker engine did not answer within ${startLimitMs / 1000} s${where}.`)
    }
    await sleep(200, signal)
    signal.throwIfAborted()
  }
}

/** @throws QuickstartError that says in a sentence what is missing. */
export const ensureEngine = async (setting: Setting): Promise<void> => {
  const { answers, reason } = await engineState(setting)
  if (answers) return
  if (reason === 'EACCES' || reason === 'EPERM') {
    throw new QuickstartError(
      `The Docker engine's socket ${setting.socket} may not be opened by this user: run this as root, or as a member of the group docker.`,
    )
  }
  if (process.getuid?.() !== 0 || (await findProgram('dockerd')) === undefined) {
    await install(setting)
    if ((await engineState(setting)).answers) return
  }
  await start(setting)
}
