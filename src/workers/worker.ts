/** What a worker process runs. */
import { rooms } from './backends/index.ts'
import { startWorker } from './main.ts'

startWorker({ rooms })
