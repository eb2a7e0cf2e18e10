/** What worker processes of the soak's daemon run. */
import { openBenchRoom } from '../../bench/room.ts'
import { rooms } from '../../src/workers/backends/index.ts'
import { startWorker } from '../../src/workers/main.ts'
import { answerMeasurements } from './measured.ts'

answerMeasurements()
startWorker({ rooms: { ...rooms, bench: openBenchRoom } })
