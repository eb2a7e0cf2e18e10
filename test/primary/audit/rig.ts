/** The primary's half of the audit log without workers: the test says what a worker would, and reads the files. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Audit, openAudit } from '../../../src/primary/audit/index.ts'
import type { AuditSender } from '../../../src/primary/fleet.ts'
import { createBatch } from '../../../src/shared/audit/batch.ts'
import type { MessageType } from '../../../src/shared/audit/catalogue.ts'
import type { AuditRecord, RecordOfType } from '../../../src/shared/audit/record.ts'
import type { Config } from '../../../src/shared/config/index.ts'
import { defaults } from '../../../src/shared/config/schema.ts'
import type { Order } from '../../../src/shared/ipc/contract.ts'
import { formatLine } from '../../../src/shared/log/format.ts'
import { createLog, type LogRecord } from '../../../src/shared/log.ts'
import { arrivalOf } from '../../rigs/arrival.ts'
import { record as keepForCodes } from '../../rigs/daemon.ts'
import { contentsOf } from '../../shared/audit/rig.ts'
import { until } from '../rig.ts'

export { until }

export const remote = arrivalOf({ address: '192.0.2.7', port: 4711 })
let names = 0
export const newId = (): string => (++names).toString(16).padStart(32, '0')

export function record<T extends MessageType>(
  type: T,
  channelId: number | null,
  payload: RecordOfType<T>['payload'],
  timestamp = BigInt(Date.now()) * 1_000_000n,
): AuditRecord {
  // The parts fit together: `payload` is that of `type`.
  return { connectionId: '', timestamp, type, channelId, payload } as unknown as AuditRecord
}
export const connect = record('connect', null, { remoteAddr: remote.address, country: 'XX' })
export const output = (data: Uint8Array | string, channelId = 0): AuditRecord =>
  record('io', channelId, { stream: 1, data: Buffer.from(data) })

export const batchOf = (records: readonly AuditRecord[]): Uint8Array => {
  const batch = createBatch()
  for (const one of records) batch.add(one)
  return Uint8Array.from(batch.take())
}

/** One worker process, as the primary sees it. */
export function worker(audit: Audit) {
  const orders: Order[] = []
  const offences: string[] = []
  const sender: AuditSender = {
    reply: (order) => void orders.push(order),
    offend: (what) => void offences.push(what),
  }
  return {
    orders,
    offences,
    stored: (ticket: number): number =>
      orders.reduce((sum, one) => (one.kind === 'audit-stored' && one.ticket === ticket ? sum + one.bytes : sum), 0),
    failed: (ticket: number): string | undefined =>
      orders.flatMap((one) => (one.kind === 'audit-failed' && one.ticket === ticket ? [one.reason] : []))[0],
    open: (ticket: number, connectionId: string): void =>
      audit.report({ kind: 'audit-open', ticket, connectionId }, sender, remote),
    /** Returns the size of the batch. */
    send(ticket: number, ...records: readonly AuditRecord[]): number {
      const batch = batchOf(records)
      audit.report({ kind: 'audit', ticket, batch }, sender, remote)
      return batch.length
    },
    raw: (ticket: number, batch: Uint8Array): void => audit.report({ kind: 'audit', ticket, batch }, sender, remote),
    close: (ticket: number): void => audit.report({ kind: 'audit-close', ticket }, sender, remote),
  }
}

export type AuditOverrides = Partial<Config['audit']>

export async function startAudit(overrides: AuditOverrides = {}, hostKeys: readonly string[] = []) {
  const folder = mkdtempSync(join(tmpdir(), 'containerssh-audit-'))
  const records: LogRecord[] = []
  const log = createLog({
    level: 'debug',
    write(line) {
      records.push(line)
      keepForCodes(formatLine(line, 'ljson').trimEnd())
    },
  })
  const base = defaults()
  const audit = { ...base.audit, enable: true, format: 'binary' as const, storage: 'file' as const, lowDiskBytes: 0 }
  const file = { directory: folder }
  const config = { ...base, shutdownTimeout: 500, audit: { ...audit, threads: 2, sign: false, file, ...overrides } }
  const opened = await openAudit(config, hostKeys, log)
  const stop = new AbortController()
  const ended = opened.service.run({ stop: stop.signal, running: () => undefined })
  const end = async (): Promise<void> => {
    stop.abort()
    await ended
  }
  return {
    audit: opened,
    folder,
    records,
    codes: (): string[] => records.map(({ code }) => code),
    names: () => readdirSync(folder).sort(),
    bytes: (name: string): Buffer => readFileSync(join(folder, name)),
    contents: (name: string) => contentsOf(readFileSync(join(folder, name))),
    closed: () => until('all logs to be closed', () => opened.gauges().openLogs === 0),
    /** The service ends; the folder stays. */
    end,
    async [Symbol.asyncDispose]() {
      await end()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
