/** Which bytes to or from a terminal are text, and which are control characters and sequences (ECMA-48). */

/** `end`: the last byte of a sequence, which is in `last` then. */
export type ByteKind = 'text' | 'control' | 'end'

export interface Sequences {
  next(byte: number): ByteKind
  /** The last sequence without its ESC; of a long one the beginning. */
  readonly last: string
  /** No sequence is going on. */
  readonly isOutside: boolean
}

const esc = 0x1b
const longest = 32
/** Sequences that go on until ESC \ or BEL: device control, operating system command, application program command. */
const strings = 'P]_^'

export function createSequences(): Sequences {
  let last = ''
  let state: 'text' | 'begun' | 'parameters' | 'one more' | 'string' = 'text'
  const keep = (byte: number): void => {
    if (last.length < longest) last += String.fromCharCode(byte)
  }
  const begun = (byte: number): ByteKind => {
    const character = String.fromCharCode(byte)
    last = character
    if (character === '[') state = 'parameters'
    else if (character === 'O') state = 'one more'
    else if (strings.includes(character)) state = 'string'
    else if (byte < 0x20 || byte > 0x2f) state = 'text'
    return state === 'text' ? 'end' : 'control'
  }
  return {
    next(byte) {
      if (byte === esc) {
        state = 'begun'
        return 'control'
      }
      switch (state) {
        case 'text':
          return byte < 0x20 || byte === 0x7f ? 'control' : 'text'
        case 'begun':
          return begun(byte)
        case 'parameters':
        case 'one more':
          keep(byte)
          if (byte < 0x40 && state === 'parameters') return 'control'
          state = 'text'
          return 'end'
        case 'string':
          if (byte === 0x07) state = 'text'
          return 'control'
        default:
          state satisfies never
          throw new Error('unreachable')
      }
    },
    get last() {
      return last
    },
    get isOutside() {
      return state === 'text'
    },
  }
}
