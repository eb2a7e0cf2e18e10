/** A Docker engine that answers: the one that runs, else the one that is installed, else Debian's. */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sleep } from '../../shared/deadline.ts'
import { installPackages, obstacleToPackages } from './apt.ts'
import { type Engine, engineSocket, engineState } from './engine.ts'
import { QuickstartError } from './failure.ts'
import { findProgram, runProgram } from './programs.ts'

export interface Setting extends Engine {
  /** Folder for what has to be kept. */
  readonly state: string
  readonly say: (text: string) => void
  /** A sentence that says why sessions cannot run in sandboxes, if that was tried. */
  readonly noSandbox?: string
}

const packages = ['docker.io', 'iptables', 'ca-certificates']
const startLimitMs = 60_000

const install = async (setting: Setting): Promise<void> => {
  const obstacle = await obstacleToPackages()
  if (obstacle !== undefined) {
    const what = `No Docker engine answers on ${setting.socket}: install and start one (${obstacle})`
    throw new QuickstartError(setting.noSandbox === undefined ? `${what}.` : `${what}. ${setting.noSandbox}`)
  }
  setting.say(`No Docker engine on this machine: installing Debian's (${packages.join(', ')}).`)
  await installPackages(packages, setting)
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
  // Ours would not listen there.
  if (setting.socket !== engineSocket) {
    throw new QuickstartError(`No Docker engine answers on ${setting.socket} (${reason}), which DOCKER_HOST names.`)
  }
  if (process.getuid?.() !== 0 || (await findProgram('dockerd')) === undefined) {
    await install(setting)
    if ((await engineState(setting)).answers) return
  }
  await start(setting)
}
