/** Programs that ended because what was under them did: nobody of theirs can say so, so we do. */
import type { Log } from '../../../shared/log.ts'
import { ranOutOfMemory } from './exit.ts'
import { asEngineError } from './failure.ts'
import type { Room } from './room.ts'

/** How a program came to its end, beside its exit code. */
export interface Fate {
  readonly outOfMemory: boolean
  /** For the user, if the program did not end by itself. */
  readonly loss: string | undefined
}

const ASK_MS = 5000
const KILLED = 137
const ended = 'the container has ended, and the program with it'
export const OUT_OF_MEMORY = 'the container has run out of memory, and a program in it was killed'
const unknown = 'the container engine has stopped, or does not know any more how the program ended'
/** The engine knows the exit code all the same. */
export const broken = 'the connection to the container engine broke: output may be missing'
const byItself: Fate = { outOfMemory: false, loss: undefined }

/** `code`: undefined when the engine does not tell it. `byUs`: we sent KILL ourselves. */
export async function fateOf(
  room: Room,
  containerId: string,
  code: number | undefined,
  byUs: boolean,
  log: Log,
): Promise<Fate> {
  if (code === undefined) return lost(unknown, log)
  if (code !== KILLED || byUs) return byItself
  if (await ranOutOfMemory(room, containerId, code, log)) return { outOfMemory: true, loss: undefined }
  try {
    const { Running } = await room.engine.containerState(containerId, AbortSignal.timeout(ASK_MS))
    return Running ? byItself : lost(ended, log)
  } catch (error) {
    return lost(asEngineError(error).statusCode === 404 ? ended : unknown, log)
  }
}

export function lost(reason: string, log: Log): Fate & { readonly loss: string } {
  log.emit('DOCKER_PROGRAM_LOST', { reason })
  return { outOfMemory: false, loss: reason }
}
