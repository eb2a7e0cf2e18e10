/** The S3 storage of ours on a queue directory of its own, with pauses that a test can wait for; its log is recorded. */
import assert from 'node:assert/strict'
import { appendFileSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createS3Target, type S3Target, type S3TargetOptions } from '../../../src/primary/audit/s3/index.ts'
import type { Pace } from '../../../src/primary/audit/s3/retry.ts'
import { settingsOf } from '../../../src/primary/audit/s3/settings.ts'
import type { LogFacts } from '../../../src/primary/audit/target.ts'
import { type Config, defaults } from '../../../src/shared/config/schema.ts'
import { formatLine } from '../../../src/shared/log/format.ts'
import { createLog, type LogRecord } from '../../../src/shared/log.ts'
import type { S3Port, S3Settings } from '../../../src/shared/s3-call.ts'
import { createS3Caller } from '../../../src/workers/pool/storage/s3-calls.ts'
import { record, until } from '../daemon.ts'
import type { Storage } from './storage.ts'

export type S3Options = Config['audit']['s3']

export const facts: LogFacts = {
  startTime: 1_795_345_356,
  remoteAddr: '127.0.0.1',
  authenticated: true,
  username: 'alice',
  country: 'XX',
}

export interface Rig extends AsyncDisposable {
  readonly target: S3Target
  readonly directory: string
  readonly records: readonly LogRecord[]
  /** What the pool does for a whole log. */
  keep(log: string, bytes: Uint8Array, its?: Partial<LogFacts>): void
  append(log: string, bytes: Uint8Array): void
  line(code: string, test?: (record: LogRecord) => boolean): Promise<LogRecord>
  count(code: string, test?: (record: LogRecord) => boolean): number
  /** Waits until no log is in the queue directory. */
  empty(): Promise<void>
}

export interface RigOptions {
  readonly s3?: Partial<S3Options>
  readonly directory?: string
  readonly pace?: Partial<Pace>
  readonly limits?: Partial<S3Settings['limits']>
  readonly format?: string
  readonly files?: S3TargetOptions['files']
  readonly mostActive?: number
  /** Is put around the calls. */
  wrap?(ask: S3Port): S3Port
}

const quickPace: Partial<Pace> = { firstMs: 20, capMs: 100, lateMs: 100, restMs: 200 }

export const s3Options = (storage: Pick<Storage, 'accessKey' | 'secretKey' | 'bucket' | 'url'>): S3Options => ({
  ...defaults().audit.s3,
  accessKey: storage.accessKey,
  secretKey: storage.secretKey,
  bucket: storage.bucket,
  region: 'us-east-1',
  endpoint: storage.url,
  pathStyleAccess: true,
})

const made: string[] = []
process.once('exit', () => {
  for (const directory of made) rmSync(directory, { recursive: true, force: true })
})

/** Is gone, with all that is in it, when the test file has ended. */
export function newDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'containerssh-queue-'))
  made.push(directory)
  return directory
}

/** The calls are made in this process; `test/primary/audit/s3/threads.test.ts` makes them in a thread. */
export function createRig(storage: Storage, options: RigOptions = {}): Rig {
  const directory = options.directory ?? newDirectory()
  const settings = { ...s3Options(storage), local: directory, ...options.s3 }
  const records: LogRecord[] = []
  const write = (line: LogRecord): void => {
    records.push(line)
    record(formatLine(line, 'ljson').trimEnd())
  }
  const log = createLog({ level: 'debug', labels: { module: 'audit' }, write })
  const caller = createS3Caller()
  const remote = settingsOf(settings, options.limits)
  const ask: S3Port = (call, signal) => caller(remote, call, signal)
  const target = createS3Target({
    settings,
    format: options.format ?? 'binary',
    log,
    ask: options.wrap?.(ask) ?? ask,
    pace: { ...quickPace, ...options.pace },
    ...(options.files !== undefined && { files: options.files }),
    ...(options.mostActive !== undefined && { mostActive: options.mostActive }),
  })
  const matching = (code: string, test: (record: LogRecord) => boolean) =>
    records.filter((line) => line.code === code && test(line))
  return {
    target,
    directory,
    records,
    keep(name, bytes, its) {
      writeFileSync(join(directory, name), bytes)
      target.opened(name, { ...facts, ...its })
      target.closed(name, bytes.length)
    },
    append(name, bytes) {
      appendFileSync(join(directory, name), bytes)
    },
    line: (code, test = () => true) => until(code, () => matching(code, test)[0]),
    count: (code, test = () => true) => matching(code, test).length,
    async empty() {
      await until('an empty queue', () => existsSync(directory) && logsIn(directory).length === 0)
      await until('the end of all work', () => target.queue().logs === 0)
    },
    async [Symbol.asyncDispose]() {
      await target.stop(AbortSignal.timeout(0))
      rmSync(directory, { recursive: true, force: true })
      for (const { code, labels } of records) assert.ok(labels['log'] !== undefined, `${code} says of no log`)
    },
  }
}

/** Logs and what belongs to them. */
export const logsIn = (directory: string): string[] =>
  readdirSync(directory).filter((name) => !name.startsWith('containerssh.'))
