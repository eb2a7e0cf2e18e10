import { randomFillSync } from 'node:crypto'
import { createReadStream, linkSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { Upload } from '@aws-sdk/lib-storage'
import { createS3Target } from '../../src/primary/audit/s3/index.ts'
import { settingsOf } from '../../src/primary/audit/s3/settings.ts'
import { createS3Threads } from '../../src/primary/audit/s3/threads.ts'
import { defaults } from '../../src/shared/config/schema.ts'
import { createLog } from '../../src/shared/log.ts'
import { installObjectStorage } from '../../test/rigs/s3/install.ts'
import { type Storage, startStorage } from '../../test/rigs/s3/storage.ts'
import { turns } from '../measure.ts'
import { type Answer, amount, type Bench, orNote, ours, type Question, rowsOf } from '../question.ts'

const rounds = 3
const warmUp = 1
const megabyte = 1e6
const bytes = 200 * megabyte
/** The default of the SDK's `Upload`. */
const atATime = 4
const pollMs = 1

interface Side {
  readonly name: string
  /** Uploads the file as this object. */
  upload(key: string): Promise<void>
}

/** As the daemon does it: the file is in the queue directory, and gone when its object was looked at. */
function ourSide(
  storage: Storage,
  file: string,
  folder: string,
  parallel: number,
  cleanup: AsyncDisposableStack,
): Side {
  const { accessKey, secretKey, bucket, url: endpoint } = storage
  const local = mkdtempSync(join(folder, 'queue-'))
  const keys = { accessKey, secretKey, bucket, endpoint, region: 'us-east-1', pathStyleAccess: true }
  const settings = { ...defaults().audit.s3, ...keys, local, parallelUploads: parallel }
  const fail = (error: Error): never => {
    throw error
  }
  const threads = createS3Threads(settingsOf(settings), fail)
  const log = createLog({ level: 'error', write: ({ message }) => fail(new Error(message)) })
  const target = createS3Target({ settings, format: 'binary', log, ask: threads.ask })
  cleanup.defer(async () => {
    await target.stop(AbortSignal.timeout(0))
    await threads.close()
  })
  const facts = { startTime: 0, remoteAddr: '127.0.0.1', authenticated: true, username: 'bench', country: 'XX' }
  return {
    name: ours,
    async upload(key) {
      // Making the file is no part of uploading it.
      linkSync(file, join(local, key))
      target.opened(key, facts)
      target.closed(key, statSync(file).size)
      while (target.queue().logs > 0) await sleep(pollMs)
    },
  }
}

function sdkSide(storage: Storage, file: string, parallel: number): Side {
  const partSize = defaults().audit.s3.uploadPartSize
  return {
    name: 'SDK Upload',
    async upload(key) {
      const params = { Bucket: storage.bucket, Key: key, Body: createReadStream(file) }
      await new Upload({ client: storage.client, params, partSize, queueSize: parallel }).done()
    },
  }
}

async function measure(bench: Bench, sides: readonly Side[], storage: Storage, size: number): Promise<Answer> {
  const samples = new Map(
    sides.map(({ name }) => [
      name,
      new Map<string, number[]>([
        ['speed', []],
        ['cpu', []],
      ]),
    ]),
  )
  const last = bench.quick ? 2 : rounds
  for (const round of turns({ ...bench, rounds: last, warmUp })) {
    for (const side of round % 2 === 0 ? sides : sides.toReversed()) {
      bench.signal.throwIfAborted()
      bench.progress(`${side.name} ${round < 0 ? 'warm-up' : `${round + 1}/${last}`}`)
      const key = `object-${round + warmUp}`
      const [start, cpu] = [performance.now(), process.cpuUsage()]
      await side.upload(key)
      const { user, system } = process.cpuUsage(cpu)
      const seconds = (performance.now() - start) / 1000
      await storage.client.deleteObject({ Bucket: storage.bucket, Key: key })
      if (round < 0) continue
      samples
        .get(side.name)
        ?.get('speed')
        ?.push(size / megabyte / seconds)
      samples
        .get(side.name)
        ?.get('cpu')
        ?.push((user + system) / 1000 / (size / megabyte))
    }
  }
  const rows = rowsOf(samples, [
    { figure: 'speed', label: `upload, ${atATime} parts at a time`, unit: 'MB/s', better: 'higher' },
    { figure: 'cpu', label: 'CPU per MB', unit: 'ms' },
  ])
  return { rows, notes: [] }
}

export const s3: Question = {
  name: 's3',
  title: 'Audit log to an object storage',
  seconds: 14,
  needs: 'a server of the S3 API, which is built from its Go module',
  about:
    'A log of 200 MB from its queue directory to a server of the S3 API on this machine (versitygw), in parts of 5 MiB, until ' +
    "its object was looked at and its file is gone; beside the AWS SDK's own `Upload` of the same file. CPU is that of our process.",
  prepare: installObjectStorage,
  run: (bench) => orNote(bench, installObjectStorage, run),
}

async function run(bench: Bench): Promise<Answer> {
  await using cleanup = new AsyncDisposableStack()
  const folder = mkdtempSync(join(tmpdir(), 'containerssh-bench-s3-'))
  cleanup.defer(() => rmSync(folder, { recursive: true, force: true }))
  const storage = cleanup.use(await startStorage())
  const size = amount(bench, bytes)
  const file = join(folder, 'log')
  writeFileSync(file, randomFillSync(Buffer.allocUnsafe(size)))
  const sides = [ourSide(storage, file, folder, atATime, cleanup), sdkSide(storage, file, atATime)]
  // Awaited here: what it works with is gone when this function returns.
  return await measure(bench, sides, storage, size)
}
