/** The primary's end of the audit path, in memory: keeps what a worker records, and stores it at once, late or never. */

import { recordsOf } from '../../src/shared/audit/batch-reader.ts'
import type { AuditRecord } from '../../src/shared/audit/record.ts'
import { MAX_BATCH_BYTES } from '../../src/shared/ipc/contract.ts'
import type { AuditConfig, Courier } from '../../src/workers/audit/desk.ts'
import { createRecorders, type Recorders } from '../../src/workers/audit/index.ts'
import type { Limits } from '../../src/workers/audit/recorder.ts'
import { until } from './daemon.ts'

export interface AuditLog {
  readonly ticket: number
  readonly connectionId: string
  readonly batches: Buffer[]
  closed: boolean
  /** Of batches that were not said to be stored. */
  waitingBytes: number
}

export interface Archive {
  readonly recorders: Recorders
  readonly logs: readonly AuditLog[]
  /** `begin` and `store`: whether logs come into being, and their batches are stored, without being asked. */
  begin: boolean
  store: boolean
  /** The link to the worker is not read. */
  congested: boolean
  /** Stores everything that waits. */
  catchUp(): void
  fail(log: AuditLog, reason: string): void
  records(log: AuditLog): AuditRecord[]
  /** Waits for the end of the log. */
  ended(index?: number): Promise<readonly AuditRecord[]>
}

export function createArchive(config: AuditConfig, limits?: Limits): Archive {
  const logs: AuditLog[] = []
  let drained: PromiseWithResolvers<void> | undefined
  const find = (ticket: number): AuditLog => {
    const log = logs.find((one) => one.ticket === ticket)
    if (log === undefined) throw new Error(`no log ${ticket} was begun`)
    if (log.closed) throw new Error(`log ${ticket} is closed`)
    return log
  }
  const courier: Courier = {
    send(report) {
      if (report.kind === 'audit-open') {
        const { ticket, connectionId } = report
        logs.push({ ticket, connectionId, batches: [], closed: false, waitingBytes: 0 })
        if (archive.begin) setImmediate(() => recorders.answered({ kind: 'audit-stored', ticket, bytes: 0 }))
      } else if (report.kind === 'audit') {
        const log = find(report.ticket)
        if (report.batch.length > MAX_BATCH_BYTES) throw new Error(`a batch of ${report.batch.length} bytes`)
        log.batches.push(Buffer.from(report.batch))
        log.waitingBytes += report.batch.length
        if (archive.store) setImmediate(store, log)
      } else find(report.ticket).closed = true
      return !archive.congested
    },
    drained() {
      if (!archive.congested) return Promise.resolve()
      drained ??= Promise.withResolvers()
      return drained.promise
    },
  }
  const recorders = createRecorders(config, courier, limits)
  const store = (log: AuditLog): void => {
    const bytes = log.waitingBytes
    log.waitingBytes = 0
    if (bytes > 0) recorders.answered({ kind: 'audit-stored', ticket: log.ticket, bytes })
  }
  let congested = false
  const archive: Archive = {
    recorders,
    logs,
    begin: true,
    store: true,
    get congested() {
      return congested
    },
    set congested(value) {
      congested = value
      if (value) return
      drained?.resolve()
      drained = undefined
    },
    catchUp: () => logs.forEach(store),
    fail: ({ ticket }, reason) => recorders.answered({ kind: 'audit-failed', ticket, reason }),
    records: ({ batches, connectionId }) => [...recordsOf(Buffer.concat(batches), connectionId)],
    async ended(index = 0) {
      const log = await until(`log ${index} is closed`, () => (logs[index]?.closed === true ? logs[index] : undefined))
      return archive.records(log)
    },
  }
  return archive
}

/** Everything is recorded. */
export const everything = {
  stdin: true,
  stdout: true,
  stderr: true,
  passwords: true,
  forwarding: true,
  echoOff: true,
}

export type Line = (record: AuditRecord) => string

/**
 * One record as a line without its time: `type channel field=value …`. Blocks of I/O of the same stream that follow each
 * other are one line, since it depends on the network how a stream is cut.
 */
export function linesOf(records: readonly AuditRecord[]): string[] {
  const lines: string[] = []
  let last: { key: string; bytes: Buffer } | undefined
  for (const record of records) {
    if (record.type === 'io') {
      const key = `io ${record.channelId} stream=${record.payload.stream}`
      const bytes = Buffer.from(record.payload.data ?? [])
      if (last?.key === key) {
        lines.pop()
        last.bytes = Buffer.concat([last.bytes, bytes])
      } else last = { key, bytes }
      lines.push(`${key} ${shown(last.bytes)}`)
      continue
    }
    last = undefined
    const fields = Object.entries(record.payload ?? {}).map(([name, value]) => `${name}=${shown(value)}`)
    if (record.facts !== undefined) fields.push(`facts=${shown(record.facts)}`)
    lines.push([record.type, ...(record.channelId === null ? [] : [String(record.channelId)]), ...fields].join(' '))
  }
  return lines
}

function shown(value: unknown): string {
  if (!(value instanceof Uint8Array)) return JSON.stringify(value)
  const text = Buffer.from(value).toString('latin1')
  return text.length > 200 ? `${value.length} bytes` : JSON.stringify(text)
}

/** Only the types, with repeated I/O of any kind counted once. */
export const typesOf = (records: readonly AuditRecord[]): string[] =>
  records.map(({ type }) => type).filter((type, index, all) => type !== 'io' || all[index - 1] !== 'io')

/** What differs from run to run. The two directions and the channels are independent: each channel stands for itself. */
export function normalized(records: readonly AuditRecord[]): string {
  const last = records.at(-1)
  const others = records.slice(0, -1)
  const channels = [...new Set(others.map(({ channelId }) => channelId))]
  const lines = channels.flatMap((id) => linesOf(others.filter(({ channelId }) => channelId === id)))
  if (last !== undefined) lines.push(...linesOf([last]))
  return `${lines.join('\n')}\n`
    .replaceAll(/(ssh-ed25519) \S+(?=")/g, '$1 KEY')
    .replaceAll(/SHA256:[^"]*/g, 'SHA256:…')
    .replaceAll(/"(clientVersion|kex|cipherIn|cipherOut)":".+?"/g, '"$1":…')
    .replaceAll(/(Port\w*)=\d{4,}/g, '$1=PORT')
    .replaceAll(/(modelist)=.*|(cookie)=".*?"/g, '$1$2=…')
    .replaceAll(/(MIT-MAGIC-COOKIE-1\\u0000\\u0000).*(?=draw)/g, '$1…')
    .replaceAll(/(Path)=".*?"/g, '$1=…')
    .replaceAll(/(term)=".*?"/g, '$1=…')
}
