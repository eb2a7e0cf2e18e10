/** The audit log of the daemon: what it is made of, in the order in which it starts, and in reverse how it ends. */
import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import { signerOf } from '../../shared/audit/chain-closing.ts'
import type { LogSettings, LogTasks } from '../../shared/audit/log-task.ts'
import { batchesOf, type Load } from '../../shared/audit/log-wire.ts'
import { fault } from '../../shared/codes/fault.ts'
import type { Config } from '../../shared/config/index.ts'
import { within } from '../../shared/deadline.ts'
import type { Log } from '../../shared/log.ts'
import type { Refusal } from '../limits.ts'
import type { Service } from '../services.ts'
import { complaintsTo } from './copies.ts'
import { watchDisks } from './disk.ts'
import { createLoads } from './loads.ts'
import { Logs } from './logs.ts'
import { type Place, placeOf } from './place.ts'
import type { Pool } from './pool.ts'
import type { StreamShared } from './stream.ts'
import type { Target } from './target.ts'
import { targetsOf } from './targets.ts'
import { openThreads } from './threads.ts'

const mostThreads = 4
/** For logs that were told to end: their last batch, and the disk. */
const CLOSE_MS = 10_000
/** Beyond the deadline that a target has: it may need a moment to obey. */
const GRACE_MS = 2000

export interface Audit extends Pick<Logs, 'report' | 'over'> {
  /** Ends after those that make records. */
  readonly service: Service
  /** Why no connection is taken at the moment. */
  refusal(remoteAddr: string): Refusal | undefined
  gauges(): AuditGauges
}
export interface AuditGauges {
  readonly openLogs: number
  readonly waitingBytes: number
  readonly waitingTasks: number
  /** Complete logs that are not uploaded yet; undefined: none ever are. */
  readonly uploads: { readonly logs: number; readonly bytes: number } | undefined
}

/** `hostKeys`: PEM texts. @throws Fault when logs could not be kept */
export async function openAudit(config: Config, hostKeys: readonly string[], parentLog: Log): Promise<Audit> {
  const { audit } = config
  const log = parentLog.with({ module: 'audit' })
  if (audit.sign && signerOf(hostKeys) === undefined) log.emit('AUDIT_NOT_SIGNED', {})
  const targets = await targetsOf(audit, log)
  for (const target of targets) await target.start()
  const places = targets.map(placeOf)
  const threads = audit.threads === 0 ? Math.min(mostThreads, availableParallelism()) : audit.threads
  const pool = openThreads(threads, log, CLOSE_MS)
  const shared = sharedOf(config, hostKeys, places, threads, pool, log)
  const { connectionBytes, workerBytes } = audit
  const abandoned = (connectionId: string): void => log.emit('AUDIT_LOG_ABANDONED', { log: connectionId })
  const logs = new Logs({ shared, abandoned, connectionBytes, workerBytes })
  const directories = targets.map(({ directory }) => directory)
  const disks = await watchDisks(directories, audit.lowDiskBytes, log)
  const end = async (): Promise<void> => {
    disks.stop()
    await closing(
      log,
      within('closing audit logs', CLOSE_MS, undefined, () => logs.closed()),
    )
    await pool.close()
    for (const target of targets) await closing(log, stop(target, config.shutdownTimeout))
  }
  return {
    report: (report, sender, remote) => logs.report(report, sender, remote),
    over: (ticket) => logs.over(ticket),
    refusal: (remoteAddr) =>
      disks.isLow ? { reason: 'audit', fault: fault('AUDIT_CONNECTION_REFUSED', { remoteAddr }) } : undefined,
    gauges: () => ({
      openLogs: logs.open,
      waitingBytes: logs.waitingBytes,
      waitingTasks: pool.waiting,
      uploads: targets.find(({ queue }) => queue !== undefined)?.queue?.(),
    }),
    service: auditService(audit.syncInterval, logs, {
      end,
      // Logs, threads, then each target.
      stopMs: 2 * CLOSE_MS + targets.length * (config.shutdownTimeout + GRACE_MS) + GRACE_MS,
    }),
  }
}

function sharedOf(
  { audit, limits }: Config,
  hostKeys: readonly string[],
  places: readonly Place[],
  threads: number,
  pool: Pool<LogTasks>,
  log: Log,
): StreamShared {
  const { format, recipients, sign, onFailure } = audit
  const settings: LogSettings = {
    format: format === 'binary' || format === 'none' ? 'gzip' : format,
    recipients,
    // Those that are just being closed come on top.
    mostChannels: 2 * limits.channels,
  }
  return {
    isChained: sign,
    hostKeys: sign ? hostKeys : [],
    places,
    onFailure,
    // One waits for its thread while the results of the others are looked at.
    loads: createLoads(settings, threads + 1, (load) => pool.run('store', load, { transfer: memoryOf(load) })),
    complain: complaintsTo(log),
  }
}

const memoryOf = ({ works }: Load): ArrayBuffer[] => works.flatMap(batchesOf).flatMap(transferable)
const transferable = ({ buffer, length }: Uint8Array): ArrayBuffer[] =>
  length > 0 && buffer instanceof ArrayBuffer ? [buffer] : []

interface Ending {
  end(): Promise<void>
  /** `end` takes no longer. */
  readonly stopMs: number
}
const auditService = (syncMs: number, logs: Logs, { end, stopMs }: Ending): Service => ({
  name: 'Audit log',
  stopMs,
  async run(life) {
    let isSyncing = false
    const sync = async (): Promise<void> => {
      if (isSyncing) return
      isSyncing = true
      await logs.sync()
      isSyncing = false
    }
    const timer = syncMs > 0 ? setInterval(() => void sync(), syncMs) : undefined
    life.running()
    if (!life.stop.aborted) await once(life.stop, 'abort')
    clearInterval(timer)
    await end()
  },
})

async function closing(log: Log, done: Promise<void>): Promise<void> {
  try {
    await done
  } catch (cause) {
    log.emit('AUDIT_STORAGE_CLOSE_FAILED', {}, { cause })
  }
}

const stop = (target: Target, deadlineMs: number): Promise<void> =>
  within(`stopping ${target.name}`, deadlineMs + GRACE_MS, undefined, () =>
    target.stop(AbortSignal.timeout(deadlineMs)),
  )
