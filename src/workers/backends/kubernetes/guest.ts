/** What an image has that helps us: found out once for each image, by looking into the first of its pods. */
import type { Log } from '../../../shared/log.ts'
import { createLru } from '../../../shared/lru.ts'
import { SHELL } from '../guest/command.ts'
import { type Place, runHelper } from './exec.ts'

export type Guest = Place['by']

const mostImages = 256
const knownMs = 60_000

export interface Guests {
  /** @throws ApiError when the pod cannot be looked into */
  of(image: string, place: Omit<Place, 'by'>, log: Log, signal: AbortSignal): Promise<Guest>
}

export function createGuests(): Guests {
  const known = createLru<string, { readonly guest: Guest; readonly until: number }>(mostImages)
  return {
    async of(image, place, log, signal) {
      const { agentPath, disableAgent } = place.room.settings.pod
      const name = JSON.stringify([image, agentPath, disableAgent])
      const found = known.get(name)
      if (found !== undefined && performance.now() < found.until) return found.guest
      const guest = await look(place, log, signal)
      known.set(name, { guest, until: performance.now() + knownMs })
      return guest
    },
  }
}

/** The shell looks for the agent; an image without a shell may have the agent all the same. */
async function look(place: Omit<Place, 'by'>, log: Log, signal: AbortSignal): Promise<Guest> {
  const { agentPath, disableAgent } = place.room.settings.pod
  const any: Place = { ...place, by: 'none' }
  const shell = await runHelper(any, [SHELL, '-c', 'test -x "$1"', 'sh', agentPath], log, signal)
  if (shell.exitCode === 0) return disableAgent ? 'shim' : 'agent'
  if (shell.exitCode !== undefined) return 'shim'
  if (disableAgent) return 'none'
  const agent = await runHelper(any, [agentPath, '-h'], log, signal)
  return agent.exitCode === undefined ? 'none' : 'agent'
}
