/**
 * What a program's output begins with when somebody announces its process id: the guest agent in four bytes (little
 * endian), our shell shim as a decimal line. Both may be spread over chunks, and a terminal turns each line feed into
 * carriage return and line feed.
 */

/** `none`: nobody, but the engine's runtime may complain in its place. `never`: all is output. */
export type Announcement = 'agent' | 'shim' | 'none' | 'never'

export type Header =
  | { readonly kind: 'pid'; readonly pid: number; readonly rest: Uint8Array }
  /** Not an announcement: the text is somebody's output, usually an error message of the engine's runtime. */
  | { readonly kind: 'text'; readonly text: Uint8Array }
  /** The stream ended before anything could be told. */
  | { readonly kind: 'short'; readonly text: Uint8Array }

export interface HeaderReader {
  /** Undefined: not complete yet, the bytes are kept. Not called again after it gave a header. */
  push(bytes: Uint8Array): Header | undefined
  /** The stream ended without a header. */
  end(): Header
}

/** PID_MAX_LIMIT of 64 bit Linux (linux/threads.h). */
const MAX_PID = 4_194_304
const MAX_LINE_BYTES = 12
const CR = 0x0d
const LF = 0x0a
/** runc's and crun's words, as the engine passes them on, when the program cannot be executed. */
const RUNTIME_ERROR = 'OCI runtime exec failed'

/** `isEchoed`: the terminal shows the line that the program was started with (CR LF) before the program's own words. */
export function createHeaderReader(announcement: Announcement, tty: boolean, isEchoed = false): HeaderReader {
  const parse = isEchoed ? afterEcho(readers[announcement]) : readers[announcement]
  let kept: Uint8Array = new Uint8Array(0)
  return {
    push(bytes) {
      const all = kept.length === 0 ? bytes : Buffer.concat([kept, bytes])
      const header = parse(all, tty)
      if (header === undefined) kept = Uint8Array.from(all)
      return header
    },
    end: () => ({ kind: 'short', text: kept }),
  }
}

type Parse = (bytes: Uint8Array, tty: boolean) => Header | undefined
const afterEcho =
  (read: Parse): Parse =>
  (bytes, tty) => {
    if (bytes.length < 2) return undefined
    return read(bytes[0] === CR && bytes[1] === LF ? bytes.subarray(2) : bytes, tty)
  }

const plausible = (pid: number): boolean => pid >= 1 && pid <= MAX_PID

function decimal(bytes: Uint8Array): Header | undefined {
  const end = bytes.indexOf(LF)
  if (end < 0 && bytes.length < MAX_LINE_BYTES && /^\d*\r?$/.test(latin1(bytes))) return undefined
  const line = end < 0 || end > MAX_LINE_BYTES ? '' : latin1(bytes.subarray(0, end)).replace(/\r$/, '')
  const pid = /^\d{1,7}$/.test(line) ? Number(line) : 0
  return plausible(pid) ? { kind: 'pid', pid, rest: bytes.subarray(end + 1) } : { kind: 'text', text: bytes }
}

/** On a terminal every 0d 0a stands for one 0a. No plausible number ends in 0d or 0a, so looking one byte ahead is enough. */
function binary(bytes: Uint8Array, tty: boolean): Header | undefined {
  const decoded: number[] = []
  let at = 0
  for (; decoded.length < 4 && at < bytes.length; at += 1) {
    const byte = bytes[at] ?? 0
    if (tty && byte === CR) {
      if (at + 1 === bytes.length) return undefined
      if (bytes[at + 1] === LF) continue
    }
    decoded.push(byte)
  }
  if (decoded.length < 4) return undefined
  const pid = decoded.reduceRight((sum, byte) => sum * 256 + byte, 0)
  return plausible(pid) ? { kind: 'pid', pid, rest: bytes.subarray(at) } : { kind: 'text', text: bytes }
}

/** Nobody announces anything, but the engine's own error message must not pass for output of the program. */
function runtimeError(bytes: Uint8Array): Header | undefined {
  const start = latin1(bytes.subarray(0, RUNTIME_ERROR.length))
  if (start === RUNTIME_ERROR) return { kind: 'text', text: bytes }
  return RUNTIME_ERROR.startsWith(start) && start.length < RUNTIME_ERROR.length && start.length > 3
    ? undefined
    : { kind: 'pid', pid: 0, rest: bytes }
}

const readers: Readonly<Record<Announcement, Parse>> = {
  agent: binary,
  shim: decimal,
  none: runtimeError,
  never: (rest) => ({ kind: 'pid', pid: 0, rest }),
}

const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1')
