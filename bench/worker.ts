/** What worker processes of the bench's daemon run. */

import { rooms } from '../src/workers/backends/index.ts'
import { startWorker } from '../src/workers/main.ts'
import { createGreeter } from './greeting.ts'
import { answerLiveMemory } from './live-memory.ts'
import { openBenchRoom } from './room.ts'

const { BENCH_FOLDER: folder, BENCH_WORKER: kind } = process.env
if (folder !== undefined) answerLiveMemory(folder)
startWorker({
  rooms: { ...rooms, bench: openBenchRoom },
  ...(kind === 'greeter' && { intake: createGreeter }),
})
