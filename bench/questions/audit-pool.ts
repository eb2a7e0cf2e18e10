/** The threads that encode audit logs, without a daemon around them. */
import { closeSync, openSync, readFileSync, unlinkSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { createPool, type Pool } from '../../src/primary/audit/pool.ts'
import { createBatch } from '../../src/shared/audit/batch.ts'
import { chainStart } from '../../src/shared/audit/chain.ts'
import type { Compression } from '../../src/shared/audit/file-format.ts'
import { type LogSettings, type LogState, type LogTasks, newLogFile } from '../../src/shared/audit/log-task.ts'
import { packLoad, readOutcome } from '../../src/shared/audit/log-wire.ts'
import { type Figures, turns } from '../measure.ts'
import { type Bench, ours, part, type Row, rowsOf } from '../question.ts'

const logs = 8
/** As a worker sends them, and as many of them as one task gets when there is much to do. */
const [batchBytes, batchesPerTask] = [64 * 1024, 8]
const graceMs = 5000

interface Kind {
  readonly name: string
  readonly recordBytes: number
  /** Of each log. */
  readonly tasks: number
}
const kinds: readonly Kind[] = [
  { name: 'output of 32 KiB', recordBytes: 32 * 1024, tasks: 12 },
  { name: 'keystrokes', recordBytes: 1, tasks: 4 },
]

function batchOf({ recordBytes }: Kind): { readonly batch: Uint8Array; readonly records: number } {
  const text = readFileSync(new URL('../../package-lock.json', import.meta.url))
  const batch = createBatch()
  let records = 0
  for (let at = 0; batch.length < batchBytes; at = (at + recordBytes) % (text.length - recordBytes), records++) {
    batch.addIo(1_700_000_000_000_000_000n + BigInt(records), 0, 1, text.subarray(at, at + recordBytes))
  }
  return { batch: Uint8Array.from(batch.take()), records }
}

async function writeLog(
  pool: Pool<LogTasks>,
  folder: string,
  name: string,
  format: Compression,
  { batch, tasks }: { readonly batch: Uint8Array; readonly tasks: number },
): Promise<void> {
  const path = join(folder, name)
  const descriptor = openSync(path, 'w', 0o600)
  const facts = { startTime: 0, remoteAddr: '', authenticated: false, username: '', country: 'XX' }
  const files = [newLogFile(name, [{ folder, descriptor }])]
  let state: LogState = {
    connectionId: name,
    folders: [folder],
    files,
    fileCount: 1,
    chain: chainStart,
    latest: 0n,
    facts,
  }
  const settings: LogSettings = { format, recipients: [], mostChannels: 1 }
  for (let task = 0; task < tasks; task++) {
    const batches = Array.from({ length: batchesPerTask }, () => Uint8Array.from(batch))
    const transfer = batches.map(({ buffer }) => buffer)
    const load = packLoad(settings, [{ state, batches, end: undefined }])
    const [outcome] = await pool.run('store', load, { transfer })
    const stored = readOutcome(outcome, state)
    if ('reason' in stored) throw new Error(stored.reason)
    state = stored.state
  }
  closeSync(descriptor)
  unlinkSync(path)
}

async function measure(bench: Bench, pool: Pool<LogTasks>, kind: Kind, format: Compression): Promise<Figures> {
  const { batch, records } = batchOf(kind)
  const names = Array.from({ length: logs }, (_, index) => index.toString(16).padStart(32, '0'))
  const begin = performance.now()
  await Promise.all(
    names.map((name) => writeLog(pool, bench.credentials.directory, name, format, { batch, tasks: kind.tasks })),
  )
  const seconds = (performance.now() - begin) / 1000
  const batches = logs * kind.tasks * batchesPerTask
  return { mbPerSecond: (batches * batch.length) / 1e6 / seconds, perSecond: (batches * records) / seconds }
}

export async function measurePool(bench: Bench): Promise<Row[]> {
  const threads = availableParallelism()
  const fail = (error: Error): never => {
    throw error
  }
  const module = new URL('../../src/workers/pool/tasks.ts', import.meta.url)
  const pool = createPool<LogTasks>({ module, threads, kept: threads, queue: logs, graceMs, failed: fail })
  const rows: Row[] = []
  try {
    for (const [index, kind] of kinds.entries()) {
      const figures = new Map<string, Map<string, number[]>>([
        [ours, new Map()],
        ['zstd', new Map()],
      ])
      const inTime = part(bench, kinds.length - index)
      for (const round of turns({ ...bench, ...inTime, rounds: bench.quick ? 1 : 3, warmUp: 1 })) {
        for (const [side, samples] of figures) {
          bench.progress(`threads, ${kind.name}, ${side}`)
          const measured = await measure(bench, pool, kind, side === ours ? 'gzip' : 'zstd')
          if (round < 0) continue
          for (const [name, value] of Object.entries(measured)) samples.set(name, [...(samples.get(name) ?? []), value])
        }
      }
      rows.push(
        ...rowsOf(figures, [
          { figure: 'mbPerSecond', label: `${threads} threads, ${kind.name}`, unit: 'MB/s', better: 'higher' },
          { figure: 'perSecond', label: `${threads} threads, ${kind.name}`, unit: 'records/s', better: 'higher' },
        ]),
      )
    }
  } finally {
    await pool.close()
  }
  return rows
}
