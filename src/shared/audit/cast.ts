/**
 * What happened in one session channel as an asciicast, version 2 (the asciinema project's file format): a header, then
 * one event a line. Times are counted from the channel's first record.
 */
import type { AuditRecord } from './record.ts'
import { createTextStream } from './text-stream.ts'

export interface Cast {
  /** For each record of the channel, in their order. Returns whole lines, or nothing. */
  add(record: AuditRecord): string
  /** The channel has no more records: what is still to be said. */
  end(): string
  /** For another one that goes on from here. */
  readonly state: CastState
}
/** Plain data, so that it can go from thread to thread. */
export interface CastState {
  readonly asked: Request | undefined
  readonly environment: readonly (readonly [name: string, value: string])[]
  readonly size: { readonly columns: number; readonly rows: number }
  readonly command: string | undefined
  readonly start: bigint | undefined
  readonly latest: bigint
  readonly hasHeader: boolean
  /** Of input, output and error output: bytes of a character that is not whole yet. */
  readonly rests: readonly [Uint8Array, Uint8Array, Uint8Array]
}

const defaultSize = { columns: 80, rows: 25 }
const nothing = new Uint8Array(0)
const beginning: CastState = {
  ...{ asked: undefined, environment: [], size: defaultSize, command: undefined, start: undefined, latest: 0n },
  ...{ hasHeader: false, rests: [nothing, nothing, nothing] },
}
const mostVariables = 1000
/** Of all variables together. */
const mostVariableLength = 64 * 1024

type Request = Extract<AuditRecord, { readonly payload: { readonly requestId: unknown } }>
const isRequest = (record: AuditRecord): record is Request =>
  record.type !== 'request_failed' && record.payload !== null && 'requestId' in record.payload

export function createCast(from: CastState = beginning): Cast {
  const script = createScript(from)
  /** Its effect shows once it was not refused: nothing says that it was granted. */
  let { asked } = from
  const settle = (): void => {
    if (asked !== undefined) script.granted(asked)
    asked = undefined
  }
  return {
    add(record) {
      if (record.type === 'request_failed' && asked?.payload.requestId === record.payload.requestId) asked = undefined
      settle()
      if (isRequest(record)) {
        script.begin(record.timestamp)
        asked = record
      } else script.happened(record)
      return script.take()
    },
    end() {
      settle()
      script.finish()
      return script.take()
    },
    get state() {
      return { ...script.state(), asked: asked === undefined ? undefined : ownCopy(asked) }
    },
  }
}

/** Without the memory of its batch, all of which would go along from thread to thread. */
const ownCopy = (request: Request): Request => {
  const fields = Object.entries(request.payload).map(([name, value]) => [
    name,
    value instanceof Uint8Array ? Uint8Array.from(value) : value,
  ])
  return { ...request, payload: Object.fromEntries(fields) } as Request
}

/** The header is written with the first event, so that it holds all that was agreed on before. */
function createScript(from: CastState) {
  const [input, output, errors] = from.rests
  const streams = [createStream('i', input), createStream('o', output), createStream('o', errors)] as const
  const environment = new Map(from.environment)
  // Of `command`, undefined: none has run.
  let { size, command, start, latest, hasHeader } = from
  let lines = ''

  const event = (code: string, data: string): void => {
    header()
    lines += `[${seconds(latest - (start ?? latest))},${JSON.stringify(code)},${JSON.stringify(data)}]\n`
  }
  const header = (): void => {
    if (hasHeader) return
    hasHeader = true
    const env = Object.fromEntries([...environment].sort(([a], [b]) => (a < b ? -1 : 1)))
    const { columns: width, rows: height } = size
    const timestamp = Number((start ?? 0n) / 1_000_000_000n)
    lines += `${JSON.stringify({ version: 2, width, height, timestamp, command: command ?? '', title: '', env })}\n`
  }
  /** What is left of a character that never came whole. */
  const flush = (): void => {
    for (const stream of streams) {
      const rest = stream.end()
      if (rest !== '') event(stream.code, rest)
    }
  }
  const begin = (timestamp: bigint): void => {
    start ??= timestamp
    // Of two records, the one that was stored first happened first.
    if (timestamp > latest) latest = timestamp
  }
  let variableLength = from.environment.reduce((sum, [name, value]) => sum + name.length + value.length, 0)
  const setVariable = (name: string, value: string): void => {
    const before = environment.get(name)
    const length = variableLength + value.length + (before === undefined ? name.length : -before.length)
    if (length > mostVariableLength || (before === undefined && environment.size >= mostVariables)) return
    variableLength = length
    environment.set(name, value)
  }
  /** A channel has one program (RFC 4254 section 6.5): the next is refused, even where no record says so. */
  const run = (what: string, program: string): void => {
    if (command !== undefined) return
    command = program
    event('m', program === '' ? what : `${what}: ${program}`)
  }
  return {
    begin,
    granted(request: Request): void {
      switch (request.type) {
        case 'setenv':
          setVariable(request.payload.name, request.payload.value)
          break
        case 'pty':
          size = sizeOf(request.payload)
          if (request.payload.term !== '') setVariable('TERM', request.payload.term)
          break
        case 'window': {
          const { columns, rows } = sizeOf(request.payload)
          event('r', `${columns}x${rows}`)
          break
        }
        case 'shell':
          run('shell', '')
          break
        case 'exec':
          run('exec', request.payload.program)
          break
        case 'subsystem':
          run('subsystem', request.payload.subsystem)
          break
        default:
      }
    },
    happened(record: AuditRecord): void {
      begin(record.timestamp)
      if (record.type === 'io') {
        const stream = streams[Number(record.payload.stream) as 0 | 1 | 2] as (typeof streams)[number] | undefined
        const text = stream?.add(record.payload.data) ?? ''
        if (stream !== undefined && text !== '') event(stream.code, text)
        return
      }
      if (record.type === 'exit' || record.type === 'exit_signal' || record.type === 'close') flush()
      if (record.type === 'exit') event('m', `exit: ${record.payload.exitStatus}`)
      if (record.type === 'exit_signal') event('m', `signal: ${record.payload.signal}`)
    },
    finish(): void {
      flush()
      header()
    },
    take(): string {
      const taken = lines
      lines = ''
      return taken
    },
    state(): Omit<CastState, 'asked'> {
      const rests = [streams[0].rest(), streams[1].rest(), streams[2].rest()] as const
      return { environment: hasHeader ? [] : [...environment], size, command, start, latest, hasHeader, rests }
    },
  }
}

function createStream(code: 'i' | 'o', rest: Uint8Array) {
  const text = createTextStream(rest)
  return {
    code,
    add: (data: Uint8Array | null): string => (data === null ? '' : text.add(data)),
    end: text.end,
    rest: () => text.rest,
  }
}

/** A terminal without a size (RFC 4254 section 6.2) has the usual one. */
const sizeOf = ({ columns, rows }: { readonly columns: number; readonly rows: number }): typeof defaultSize => ({
  columns: columns || defaultSize.columns,
  rows: rows || defaultSize.rows,
})

/** Nanoseconds as a JSON number of seconds, all digits. */
function seconds(nanoseconds: bigint): string {
  const digits = nanoseconds.toString().padStart(10, '0')
  return `${digits.slice(0, -9)}.${digits.slice(-9)}`.replace(/\.?0+$/, '')
}
