/** The daemon with the bench's room, and with processes that can be asked for their live memory. */
import { commandLine } from '../../src/primary/command-line.ts'
import { answerMeasurements } from './measured.ts'

answerMeasurements()
const workerEntry = new URL('./worker.ts', import.meta.url)
process.exitCode = await commandLine(process.argv.slice(2), { rooms: ['docker', 'bench'], workerEntry })
