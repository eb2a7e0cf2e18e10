/** Our own guest agent for images that have none: how it gets into a pod, and what that means for programs. */
import { asFault, type Fault, fault } from '../../../shared/codes/fault.ts'
import type { Log } from '../../../shared/log.ts'
import { type Binaries, contentOf } from '../guest/binary.ts'
import { HELPER, type Plan, planOf } from '../guest/plan.ts'
import { installingWords } from '../guest/write-file.ts'
import { runHelper, type Spot } from './exec.ts'
import type { Found } from './guest.ts'
import { helperVolume, type PodSettings } from './pod.ts'

/**
 * `init`: it is there when the pod runs, because an init container has copied it. `late`: a shell of the image writes it
 * when it is needed. Undefined: there is no way.
 */
export type Way = 'init' | 'late' | undefined

export async function wayOf(pod: PodSettings, binaries: Binaries, log: Log): Promise<Way> {
  if (pod.agentMode === 'none') return undefined
  if (pod.agentImage !== '') return 'init'
  try {
    const found = await Promise.all(['amd64', 'arm64'].map((one) => binaries.find(pod.agentBinary, one)))
    return found.some((one) => one !== undefined) ? 'late' : undefined
  } catch (cause) {
    const failure = failed((cause as Error).message, cause)
    if (pod.agentMode === 'inject') throw failure
    log.fault(failure)
    return undefined
  }
}

/** As long as the agent has to be written first, programs do without. */
export function planFor(pod: PodSettings, found: Found, way: Way): Plan {
  if (way === undefined || (way === 'late' && !found.shell)) return planOf(pod, found, undefined)
  if (way === 'init' || found.helper) return planOf(pod, found, helperVolume)
  const byImage = pod.agentMode === 'auto' && found.agent && !pod.disableAgent
  const agentMode = byImage ? 'image' : pod.agentMode === 'image' ? 'image' : 'shell'
  return planOf({ ...pod, agentMode }, found, helperVolume)
}

export interface Helper {
  /** Sees to it that our agent is in the pod. @throws Fault KUBERNETES_AGENT_INJECT_FAILED */
  bring(signal: AbortSignal): Promise<void>
}

/** Undefined: there is no way for it. */
export function createHelper(spot: Spot, found: Found, way: Way, binaries: Binaries, log: Log): Helper | undefined {
  if (found.helper) return { bring: async () => undefined }
  if (way !== 'late' || !found.shell) return undefined
  let bringing: Promise<void> | undefined
  return {
    bring() {
      // Shared by all that need it, so nobody's own signal ends it.
      const { commandStart } = spot.room.settings.timeouts
      const limited = AbortSignal.any([spot.closing, AbortSignal.timeout(commandStart)])
      bringing ??= write(spot, found, binaries, log, limited).catch((error: unknown) => {
        bringing = undefined
        throw asFault(error)
      })
      return bringing
    },
  }
}

async function write(spot: Spot, found: Found, binaries: Binaries, log: Log, signal: AbortSignal): Promise<void> {
  const { agentBinary } = spot.room.settings.pod
  try {
    const binary = await binaries.find(agentBinary, found.architecture)
    if (binary === undefined) throw new Error(`there is no kubernetes.pod.agentBinary for ${found.architecture}`)
    const bytes = await contentOf(binary)
    const words = installingWords(HELPER, bytes.length)
    const { exitCode, message } = await runHelper(spot, words, log, signal, { bytes, isCounted: true })
    if (exitCode !== 0) throw new Error(message)
  } catch (cause) {
    throw failed((cause as Error).message, cause)
  }
}

const failed = (reason: string, cause: unknown): Fault => fault('KUBERNETES_AGENT_INJECT_FAILED', { reason }, { cause })

export const noWay = (): Fault => {
  const reason = 'agentMode is inject, but there is no agentImage, and no agentBinary or no shell to write it'
  return fault('KUBERNETES_AGENT_INJECT_FAILED', { reason }, { level: 'error' })
}
