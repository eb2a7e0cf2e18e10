/** What worker processes of the bench's daemon run. */

import { rooms } from '../src/workers/backends/index.ts'
import { startWorker } from '../src/workers/main.ts'
import { openBenchRoom } from './room.ts'

startWorker({ rooms: { ...rooms, bench: openBenchRoom } })
