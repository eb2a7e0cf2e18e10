/** The daemon with one room more: the executable of the bench and of nobody else. */
import { commandLine } from '../src/primary/command-line.ts'
import { answerLiveMemory } from './live-memory.ts'
import { answerLoopDelay } from './loop-delay.ts'

const { BENCH_FOLDER: folder } = process.env
if (folder !== undefined) {
  answerLoopDelay(folder)
  answerLiveMemory(folder)
}
const rooms = ['docker', 'kubernetes', 'sandbox', 'bench']
const workerEntry = new URL('./worker.ts', import.meta.url)
process.exitCode = await commandLine(process.argv.slice(2), { rooms, workerEntry })
