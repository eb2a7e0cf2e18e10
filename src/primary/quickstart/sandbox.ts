/** Sandboxes of this machine, which need no engine: bubblewrap and the guest agent are enough. */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { engineState } from './engine.ts'
import { QuickstartError } from './failure.ts'
import type { Setting } from './install.ts'
import { findProgram, runProgram } from './programs.ts'

/** What `npm run guest` builds, by Node's name of the architecture. */
const agents: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' }
const trialMs = 10_000

/** The backend and its section; undefined: Docker is wanted, or the better choice. @throws QuickstartError */
export const chooseSandbox = async (asked: string | undefined, setting: Setting): Promise<object | undefined> => {
  if (asked === 'docker') return undefined
  if (asked === undefined && (await engineState(setting)).answers) return undefined
  const obstacle = await obstacleTo(setting)
  if (obstacle === undefined) {
    setting.say('Sessions run in sandboxes of this machine (--backend docker has them run in containers).')
    return { backend: 'sandbox', sandbox: { shellCommand: [existsSync('/bin/bash') ? '/bin/bash' : '/bin/sh'] } }
  }
  if (asked === undefined) return undefined
  throw new QuickstartError(`No sandbox can be made on this machine: ${obstacle}.`)
}

const obstacleTo = async ({ signal }: Setting): Promise<string | undefined> => {
  const bwrap = await findProgram('bwrap')
  if (bwrap === undefined) return 'there is no bubblewrap (Debian package bubblewrap)'
  const name = `containerssh-agent-${agents[process.arch] ?? process.arch}`
  if (!existsSync(resolve(import.meta.dirname, '../../../.cache/guest', name))) {
    return 'the guest agent is not built (npm run guest)'
  }
  const words = ['--unshare-all', '--uid', '1000', '--ro-bind', '/', '/', '/bin/true']
  const { status, last } = await runProgram(bwrap, words, { signal, timeoutMs: trialMs })
  return status === 0 ? undefined : last.join('; ')
}
