/** Runs the tools in this process, on files. */
import { EventEmitter, once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable, Writable } from 'node:stream'
import { after } from 'node:test'
import { parseAuditArguments } from '../../../src/primary/audit-tools/arguments.ts'
import { auditCommand } from '../../../src/primary/audit-tools/index.ts'
import type { AuditRecord } from '../../../src/shared/audit/record.ts'
import { at, connectionId, goldens, logOf } from '../../shared/audit/rig.ts'

const folder = mkdtempSync(join(tmpdir(), 'audit-tools-'))
after(() => rmSync(folder, { recursive: true }))

export const goldenPath = (name: string): string => join(goldens, name)
export const goldenText = (name: string): string => readFileSync(goldenPath(name), 'utf8')
export const fileOf = (name: string, content: Uint8Array): string => {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}
export const logFile = (name: string, records: readonly AuditRecord[]): string => fileOf(name, logOf([records]))

export interface Outcome {
  readonly status: number
  readonly out: string
  readonly bytes: Buffer
  readonly err: string
}
/** `words` as after `containerssh audit`. */
export const audit = (...words: readonly string[]): Promise<Outcome> => begin(words).outcome

/** Also of tools that do not end by themselves. `input` is standard input. */
export function begin(words: readonly string[], input: readonly Uint8Array[] = []) {
  const parsed = parseAuditArguments(words)
  if (parsed.kind !== 'audit') throw new Error(JSON.stringify(parsed))
  const written = new EventEmitter()
  const chunks: Buffer[] = []
  let err = ''
  const stdout = new Writable({
    write(chunk: Buffer, _, done) {
      chunks.push(chunk)
      written.emit('written')
      done()
    },
  })
  const text = (): string => Buffer.concat(chunks).toString()
  const tell = (line: string): void => {
    err += line
  }
  const status = auditCommand(parsed.action, stdout, tell, Readable.from(input))
  return {
    stdout,
    outcome: status.then((done) => ({ status: done, out: text(), bytes: Buffer.concat(chunks), err })),
    /** Waits until what is wanted has been printed. */
    async printed(wanted: RegExp): Promise<void> {
      while (!wanted.test(text())) await once(written, 'written', { signal: AbortSignal.timeout(20_000) })
    },
  }
}

/** Compares with a golden of ours, or writes it. */
export function expectGolden(name: string, text: string): string {
  if (process.env['UPDATE_GOLDENS'] === '1') writeFileSync(goldenPath(name), text)
  return goldenText(name)
}

/** A session channel, told in short: each call is one record, a tenth of a second after the one before. */
export function session(channelId = 0) {
  const records: AuditRecord[] = []
  let now = 0
  let requests = 0
  const common = () => ({ connectionId, timestamp: at(++now / 10), channelId })
  const request = () => ({ requestId: requests++ })
  const size = (columns: number, rows: number) => ({ columns, rows, width: 0, height: 0 })
  const told = {
    records,
    pty(columns: number, rows: number, term = 'xterm') {
      const payload = { ...request(), term, ...size(columns, rows), modelist: null }
      records.push({ ...common(), type: 'pty', payload })
      return told
    },
    window(columns: number, rows: number) {
      records.push({ ...common(), type: 'window', payload: { ...request(), ...size(columns, rows) } })
      return told
    },
    env(name: string, value: string) {
      records.push({ ...common(), type: 'setenv', payload: { ...request(), name, value } })
      return told
    },
    shell() {
      records.push({ ...common(), type: 'shell', payload: request() })
      return told
    },
    exec(program: string) {
      records.push({ ...common(), type: 'exec', payload: { ...request(), program } })
      return told
    },
    subsystem(subsystem: string) {
      records.push({ ...common(), type: 'subsystem', payload: { ...request(), subsystem } })
      return told
    },
    /** The last request. */
    refused() {
      const payload = { requestId: requests - 1, reason: 'no' }
      records.push({ ...common(), type: 'request_failed', payload })
      return told
    },
    io(stream: 0 | 1 | 2, data: string | Uint8Array) {
      records.push({ ...common(), type: 'io', payload: { stream, data: Buffer.from(data as string) } })
      return told
    },
    exit(exitStatus: number) {
      records.push({ ...common(), type: 'exit', payload: { exitStatus } })
      return told
    },
    close() {
      records.push({ ...common(), type: 'close', payload: null })
      return told
    },
  }
  return told
}
