/** Which tool makes the sandboxes of this machine: the first that has made one. */
import { fault } from '../../../shared/codes/fault.ts'
import type { Log } from '../../../shared/log.ts'
import { openInit } from './init.ts'
import { explainRefusal } from './refusal.ts'
import type { Room, SandboxSettings } from './room.ts'
import { candidates, find, type Tool } from './tool.ts'

/** Gives the room with that tool. @throws Fault SANDBOX_CONFIG_ERROR when there is none */
export type Choose = (settings: SandboxSettings, roomWith: (tool: Tool) => Promise<Room>) => Promise<Room>

/** Of all that depends on the machine, there is one proof for all users. */
export function createChoice(log: Log): Choose {
  const proven = new Map<string, Tool>()
  return async (settings, roomWith) => {
    const key = candidates(settings)
      .map(({ program, isFinishedInside }) => `${program}\0${isFinishedInside}`)
      .join('\0')
    const known = proven.get(key)
    if (known !== undefined) return roomWith(known)
    const { room, refused } = await firstProven(settings, roomWith, log)
    proven.set(key, room.tool)
    log.emit('SANDBOX_TOOL', { tool: room.tool.path, ...(refused === '' ? {} : { refused }) })
    if (settings.limits.inodes > 0 && !room.tool.isFinishedInside) log.emit('SANDBOX_INODES_UNLIMITED', {})
    return room
  }
}

async function firstProven(
  settings: SandboxSettings,
  roomWith: (tool: Tool) => Promise<Room>,
  log: Log,
): Promise<{ readonly room: Room; readonly refused: string }> {
  const reasons: string[] = []
  for (const candidate of candidates(settings)) {
    try {
      const room = await roomWith(await find(candidate))
      await prove(room, log)
      return { room, refused: reasons.join('; ') }
    } catch (error) {
      const reason = `${candidate.name}: ${error instanceof Error ? error.message : String(error)}`
      if (!reasons.includes(reason)) reasons.push(reason)
    }
  }
  throw fault('SANDBOX_CONFIG_ERROR', { reason: await explainRefusal(reasons.join('; ')) })
}

/** A first sandbox: what the machine does not allow is told before anybody logs in. @throws Fault */
async function prove(room: Room, log: Log): Promise<void> {
  const init = await openInit(room, '', log, AbortSignal.timeout(room.settings.timeouts.start))
  await init.end()
}
