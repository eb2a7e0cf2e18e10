/**
 * The end of an output, told within it. Clusters cut what a program has written last: containerd's shim gives up on output
 * that nobody takes within 2 s of the end, and a proxy that still holds megabytes for a slow client drops them when the
 * connection behind it is closed. So the program's parent, a shell of ours or the guest agent, stays after its end and
 * says on both outputs: RS, a word that only we know, the exit code, RS. When we have read that, we have read everything.
 */
import { randomBytes } from 'node:crypto'

/** ASCII's record separator: neither text nor the word has it, so a list of processes, which shows the word, is no end. */
const RS = 0x1e
const mostDigits = 3

export const newWord = (): string => randomBytes(8).toString('hex')

export interface LastWordReader {
  /** Bytes of the output, lent for the call. */
  push(bytes: Uint8Array): void
  /** Nothing more comes. */
  end(): void
}

/**
 * What may be the beginning of the last word waits for the rest. So few bytes may as well be the program's, which then
 * waits for an answer to them: a word that has been cut in two at so early a place comes whole in less than this.
 */
const fewBytes = 3
const patienceMs = 50

/** `deliver`: gets what is the program's, lent for the call. `ended`: called once with the exit code; nothing is delivered after. */
export function createLastWordReader(
  word: string,
  deliver: (bytes: Uint8Array) => void,
  ended: (code: number) => void,
): LastWordReader {
  const beginning = Buffer.from(`${String.fromCharCode(RS)}${word}`, 'latin1')
  let held: Uint8Array | undefined
  let timer: NodeJS.Timeout | undefined
  let isOver = false

  const release = (): void => {
    clearTimeout(timer)
    const bytes = held
    held = undefined
    if (bytes !== undefined && !isOver) deliver(bytes)
  }
  const hold = (bytes: Uint8Array): void => {
    held = Uint8Array.from(bytes)
    if (held.length <= fewBytes) timer = setTimeout(release, patienceMs)
  }
  const split = (all: Buffer, at: number): void => {
    if (at > 0) deliver(all.subarray(0, at))
    if (at < all.length) hold(all.subarray(at))
  }
  return {
    push(bytes) {
      if (isOver) return
      let all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
      if (held !== undefined) {
        clearTimeout(timer)
        all = Buffer.concat([held, all])
        held = undefined
      }
      for (let from = 0; ; ) {
        const at = all.indexOf(beginning, from)
        if (at < 0) return split(all, beginsAt(all, beginning))
        const code = codeIn(all.subarray(at + beginning.length))
        if (code === 'open') return split(all, at)
        if (code !== 'none') {
          if (at > 0) deliver(all.subarray(0, at))
          isOver = true
          return ended(code)
        }
        from = at + 1
      }
    },
    end: release,
  }
}

/** Where what could be the beginning begins, at the very end; else the length. */
function beginsAt(all: Buffer, beginning: Buffer): number {
  const last = all.subarray(Math.max(0, all.length - beginning.length + 1))
  const at = last.lastIndexOf(RS)
  if (at < 0) return all.length
  const rest = last.subarray(at)
  return rest.equals(beginning.subarray(0, rest.length)) ? all.length - rest.length : all.length
}

/** `open`: it is not complete yet. `none`: it is something else. */
function codeIn(bytes: Buffer): number | 'open' | 'none' {
  const end = bytes.indexOf(RS)
  const digits = bytes.subarray(0, end < 0 ? mostDigits + 1 : end).toString('latin1')
  if (!/^\d{0,3}$/.test(digits)) return 'none'
  if (end < 0) return 'open'
  return digits === '' || Number(digits) > 255 ? 'none' : Number(digits)
}
