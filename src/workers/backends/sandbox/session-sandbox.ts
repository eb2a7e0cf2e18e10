/** Session mode: each program has a sandbox of its own, made when the program is asked for. */
import type { Log } from '../../../shared/log.ts'
import type { Occupant, Program, Running, Sandbox, Stdio } from '../../ports.ts'
import { createSessionForwarding, type Entered } from '../guest/forward-session.ts'
import { orUndo } from '../undo.ts'
import { type Place, runProgram } from './exec.ts'
import { forwardPlace } from './helper.ts'
import { occupantLabels, type Room } from './room.ts'
import { makePlace, shuttingDown, wordsFor } from './sandbox.ts'

/** @throws Fault */
export async function openSessionSandbox(room: Room, who: Occupant): Promise<Sandbox> {
  const forwarding = createSessionForwarding()
  const labels = occupantLabels(who)
  const closing = new AbortController()
  const programs = new Set<Promise<void>>()

  const start = async (
    place: Place,
    entered: Entered,
    program: Program,
    stdio: Stdio,
    log: Log,
    signal: AbortSignal,
  ): Promise<Running> => {
    const words = wordsFor(room, program.what)
    const told = await entered.open(program, signal)
    const env = new Map([...program.env, ...told])
    return runProgram(place, words, { ...program, env }, stdio, log, signal)
  }
  return {
    async run(program, stdio, runSignal) {
      if (closing.signal.aborted) throw shuttingDown()
      wordsFor(room, program.what)
      const log = program.log.with(labels)
      const signal = AbortSignal.any([runSignal, closing.signal])
      const undo = ({ init }: Place): Promise<void> => init.end()
      const place = await orUndo(room.cleanup, makePlace(room, who, log, signal), signal, undo, shuttingDown)
      const own = log.with({ sandboxId: place.init.id })
      const entered = forwarding.enter((over) => forwardPlace(room, place, over, own), own)
      const leave = (): Promise<void> => {
        entered.leave()
        return place.init.end()
      }
      try {
        const running = await start(place, entered, program, stdio, own, signal)
        const settled = running.exit.then(leave, leave).finally(() => programs.delete(settled))
        programs.add(settled)
        closing.signal.addEventListener('abort', () => void leave(), { once: true })
        return running
      } catch (error) {
        await leave()
        throw error
      }
    },
    dial: forwarding.dial,
    listen: forwarding.listen,
    async [Symbol.asyncDispose]() {
      closing.abort()
      await Promise.all(programs)
    },
  }
}
