/** Why a program did not start, for its user. */
import { asFault } from '../../shared/codes/fault.ts'
import { sleep } from '../../shared/deadline.ts'
import type { Program, Sandbox, Stdio } from '../ports.ts'

/** For the way to the user's screen. */
export const lastWordsMs = 250

/** OpenSSH's client says only that its request failed, and ends at once: the reason goes ahead, with time to be read. */
export async function explain(error: unknown, { stderr }: Pick<Stdio, 'stderr'>, { pty }: Program): Promise<void> {
  stderr.write(Buffer.from(`${asFault(error).userText}.${pty === undefined ? '' : '\r'}\n`))
  await sleep(lastWordsMs)
}

/** The same program, or an explanation if it is refused while its client is there to read it. */
export const explained =
  (run: Sandbox['run']): Sandbox['run'] =>
  async (program, stdio, signal) => {
    try {
      return await run(program, stdio, signal)
    } catch (error) {
      if (!signal.aborted) await explain(error, stdio, program)
      throw error
    }
  }
