/** Sandboxes of this machine, which need no engine: bubblewrap or unshare, and the guest agent, are enough. */
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { installPackages, obstacleToPackages } from './apt.ts'
import { engineState } from './engine.ts'
import { QuickstartError } from './failure.ts'
import type { Setting } from './install.ts'
import { findProgram, runProgram } from './programs.ts'

const root = resolve(import.meta.dirname, '../../..')
/** What `npm run guest` builds, by Node's name of the architecture. */
const agents: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' }
const agent = join(root, '.cache/guest', `containerssh-agent-${agents[process.arch] ?? process.arch}`)
const builder = join(root, 'scripts/guest.ts')
const trialMs = 10_000
const buildMs = 900_000

export interface SandboxChoice {
  /** The backend and its section; undefined: sessions are to run in containers. */
  readonly room?: object
  /** Why there is none, when one was wanted. */
  readonly noSandbox?: string
}

/** What is missing is installed and built, where that is possible. @throws QuickstartError */
export const chooseSandbox = async (asked: string | undefined, setting: Setting): Promise<SandboxChoice> => {
  if (asked === 'docker') return {}
  if (asked === undefined && (await engineState(setting)).answers) return {}
  const obstacle = (await obstacleToTools(setting)) ?? (await obstacleToAgent(setting))
  if (obstacle === undefined) {
    setting.say('Sessions run in sandboxes of this machine (--backend docker has them run in containers).')
    return {
      room: { backend: 'sandbox', sandbox: { shellCommand: [existsSync('/bin/bash') ? '/bin/bash' : '/bin/sh'] } },
    }
  }
  const noSandbox = `No sandbox can be made on this machine: ${obstacle.replace(/\.+$/, '')}.`
  if (asked !== undefined) throw new QuickstartError(noSandbox)
  setting.say(noSandbox)
  return { noSandbox }
}

/** What makes sandboxes, with words that ask the kernel for the same. */
const tools = [
  ['bwrap', ['--unshare-all', '--uid', '1000', '--ro-bind', '/', '/', '/bin/true']],
  ['unshare', ['--user', '--map-root-user', '--mount', '--pid', '--fork', '/bin/true']],
] as const

/** Every Debian has unshare; where only bubblewrap is allowed to make sandboxes, as on Ubuntu, that is installed. */
const obstacleToTools = async (setting: Setting): Promise<string | undefined> => {
  const reasons: string[] = []
  for (const [name, words] of tools) {
    const reason = await trial(name, words, setting)
    if (reason === undefined) return undefined
    reasons.push(`${name}: ${reason.replace(/\.+$/, '')}`)
  }
  if ((await findProgram('bwrap')) !== undefined) return reasons.join('; ')
  const obstacle = await obstacleToPackages()
  if (obstacle !== undefined) return `${reasons.join('; ')}; install the package bubblewrap (${obstacle})`
  setting.say('Installing bubblewrap, which makes sandboxes.')
  const [[name, words]] = tools
  const installed = await attempt(setting, () => installPackages(['bubblewrap'], setting))
  return installed ?? trial(name, words, setting)
}

/** What the kernel says. */
const trial = async (name: string, words: readonly string[], setting: Setting): Promise<string | undefined> => {
  const program = await findProgram(name)
  if (program === undefined) return 'it is not installed'
  return attempt(setting, async () => {
    const { status, last } = await runProgram(program, words, { signal: setting.signal, timeoutMs: trialMs })
    if (status !== 0) throw new Error(last.join('; '))
  })
}

/** `npm ci` has built it, unless it could not. */
const obstacleToAgent = async (setting: Setting): Promise<string | undefined> => {
  if (existsSync(agent)) return undefined
  if (!existsSync(builder)) return `there is no guest agent for ${process.arch}`
  setting.say('Building the guest agent, the first process of a sandbox; without Go, that is fetched first.')
  const { signal } = setting
  return attempt(setting, async () => {
    const { status, last } = await runProgram(process.execPath, [builder, '--here'], { signal, timeoutMs: buildMs })
    if (status !== 0) throw new Error(`the guest agent cannot be built (npm run guest): ${last.join('; ')}`)
  })
}

/** The reason when it failed. @throws the signal's reason */
const attempt = async ({ signal }: Setting, task: () => Promise<void>): Promise<string | undefined> => {
  try {
    await task()
    return undefined
  } catch (error) {
    signal.throwIfAborted()
    return error instanceof Error ? error.message : String(error)
  }
}
