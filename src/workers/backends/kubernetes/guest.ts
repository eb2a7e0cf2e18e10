/** What an image has that helps us: found out once for each image, by looking into the first of its pods. */
import type { Log } from '../../../shared/log.ts'
import { createLru } from '../../../shared/lru.ts'
import { type Binaries, createBinaries } from '../guest/binary.ts'
import { SHELL } from '../guest/command.ts'
import { HELPER, type Inside, SCP } from '../guest/plan.ts'
import { runHelper, type Spot } from './exec.ts'
import { consoleImage, type PodSettings } from './pod.ts'

/** What was found in a pod. */
export interface Found extends Inside {
  /** Somebody has put our guest agent there. */
  readonly helper: boolean
  /** Of the node, as Go names it. */
  readonly architecture: 'amd64' | 'arm64'
}

export interface Guests {
  /** Of our guest agent. */
  readonly binaries: Binaries

  /** Undefined: it is not known yet, or was looked up too long ago. */
  known(pod: PodSettings): Found | undefined
  /** Of an image, as it is in a pod that runs. @throws ApiError when the pod cannot be looked into */
  look(spot: Spot, log: Log, signal: AbortSignal): Promise<Found>
  /** The pod of the image does not behave as what was found in it. */
  forget(pod: PodSettings): void
  /** Whether this is the first call with these words. */
  isNews(...words: readonly string[]): boolean
}

const mostImages = 256
const knownMs = 600_000

export function createGuests(): Guests {
  const known = createLru<string, { readonly found: Found; readonly until: number }>(mostImages)
  const told = createLru<string, true>(mostImages)
  return {
    binaries: createBinaries(),
    known(pod) {
      const last = known.get(nameOf(pod))
      return last !== undefined && performance.now() < last.until ? last.found : undefined
    },
    async look(spot, log, signal) {
      const found = await look(spot, log, signal)
      known.set(nameOf(spot.room.settings.pod), { found, until: performance.now() + knownMs })
      return found
    },
    forget(pod) {
      const last = known.get(nameOf(pod))
      if (last !== undefined) known.set(nameOf(pod), { ...last, until: 0 })
    },
    isNews(...words) {
      const name = JSON.stringify(words)
      const isNew = told.get(name) === undefined
      told.set(name, true)
      return isNew
    },
  }
}

/** Mounts may bring a path, or hide it. */
const nameOf = (pod: PodSettings): string =>
  JSON.stringify([consoleImage(pod), pod.agentPath, pod.subsystems['sftp'], pod.spec, pod.consoleContainerNumber])

/** The exit code has a bit for each path that is a program, and one for an ARM processor. */
const LOOK = `sum=0 bit=1
for path; do if test -x "$path"; then sum=$((sum + bit)); fi; bit=$((bit * 2)); done
if test "$(uname -m)" = aarch64; then sum=$((sum + bit)); fi
exit $sum`
/** A shell's own troubles begin here. */
const trouble = 126

/** The shell looks for the others; an image without a shell may have the agent all the same. */
async function look(spot: Spot, log: Log, signal: AbortSignal): Promise<Found> {
  const { agentPath, subsystems } = spot.room.settings.pod
  const ran = async (words: readonly string[]): Promise<number | undefined> =>
    (await runHelper(spot, words, log, signal)).exitCode
  const sum = await ran([SHELL, '-c', LOOK, 'sh', agentPath, subsystems['sftp'] ?? '', HELPER, SCP])
  if (sum !== undefined && sum < trouble) {
    const [agent, sftp, helper, scp, arm] = [1, 2, 4, 8, 16].map((bit) => (sum & bit) !== 0) as [
      ...[boolean, boolean, boolean, boolean, boolean], // one for each of five
    ]
    return { shell: true, agent, sftp, helper, scp, architecture: arm ? 'arm64' : 'amd64' }
  }
  const [agent, helper] = await Promise.all(
    [agentPath, HELPER].map(async (path) => (await ran([path, '--help'])) === 0),
  )
  return {
    shell: false,
    agent: agent === true,
    sftp: false,
    helper: helper === true,
    scp: false,
    architecture: 'amd64',
  }
}
