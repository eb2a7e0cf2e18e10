/** What users hear, on standard error, while their room is being made. */
import { asFault } from '../../shared/codes/fault.ts'
import { sleep } from '../../shared/deadline.ts'
import type { Sandbox, Say, Sink, Verdict } from '../ports.ts'
import { lastWordsMs } from './explain.ts'

export interface Words {
  readonly say: Say
  /** Settles with the first word. */
  readonly spoken: Promise<undefined>
  /**
   * Lets a channel hear until the room is there. Without a room there is no future for the session: the refusal is
   * final. Its record was written where the room was to be made.
   */
  until(room: Promise<Sandbox>, stderr: Sink, onTerminal: boolean): Promise<Verdict<Sandbox>>
  /** All is said: the room is there, or there will be none. */
  end(): void
}

export function createWords(): Words {
  const spoken = Promise.withResolvers<undefined>()
  const listeners = new Set<Say>()
  let last = ''
  return {
    say(line) {
      last = line
      spoken.resolve(undefined)
      for (const listener of listeners) listener(line)
    },
    spoken: spoken.promise,
    async until(room, stderr, onTerminal) {
      let isFull = false
      // Whoever does not read gets no more: nothing piles up.
      const write = (line: string): void => {
        if (!isFull) isFull = !stderr.write(Buffer.from(`${line}${onTerminal ? '\r\n' : '\n'}`))
      }
      stderr.onDrain(() => {
        isFull = false
      })
      listeners.add(write)
      if (last !== '') write(last)
      try {
        return { accepted: true, value: await room }
      } catch (error) {
        const fault = asFault(error)
        // OpenSSH's client ends at once when its request is refused: without what it has not printed by then.
        write(`${fault.userText}.`)
        await sleep(lastWordsMs)
        return { accepted: false, fault, final: true }
      } finally {
        listeners.delete(write)
      }
    },
    end() {
      last = ''
    },
  }
}
