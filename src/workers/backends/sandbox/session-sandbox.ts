/** Session mode: each program has a sandbox of its own, made when the program is asked for. */
import type { Log } from '../../../shared/log.ts'
import type { Occupant, Program, Running, Sandbox, Stdio } from '../../ports.ts'
import type { Entered } from '../guest/forward-session.ts'
import { createLodgers } from '../guest/lodgers.ts'
import { orUndo } from '../undo.ts'
import { type Place, runProgram } from './exec.ts'
import { forwardPlace } from './helper.ts'
import { occupantLabels, type Room } from './room.ts'
import { makePlace, shuttingDown, wordsFor } from './sandbox.ts'

/** @throws Fault */
export async function openSessionSandbox(room: Room, who: Occupant): Promise<Sandbox> {
  const lodgers = createLodgers(shuttingDown)
  const labels = occupantLabels(who)

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
  return lodgers.sandbox(async (program, stdio, runSignal) => {
    wordsFor(room, program.what)
    const log = program.log.with(labels)
    const signal = AbortSignal.any([runSignal, lodgers.closing])
    const undo = ({ init }: Place): Promise<void> => init.end()
    const place = await orUndo(room.cleanup, makePlace(room, who, log, signal), signal, undo, shuttingDown)
    const own = log.with({ sandboxId: place.init.id })
    const entered = lodgers.forwarding.enter((over) => forwardPlace(room, place, over, own), own)
    const leave = (): Promise<void> => {
      entered.leave()
      return place.init.end()
    }
    try {
      const running = await start(place, entered, program, stdio, own, signal)
      lodgers.add(running, leave)
      lodgers.closing.addEventListener('abort', () => void leave(), { once: true })
      return running
    } catch (error) {
      await leave()
      throw error
    }
  })
}
