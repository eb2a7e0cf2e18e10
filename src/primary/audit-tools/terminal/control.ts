/** Text for a terminal, told apart: characters, control characters, escape sequences (ECMA-48, and ctlseqs of xterm). */

export interface ControlSink {
  /** One or more characters that are shown. */
  print(text: string): void
  /** One of C0. */
  control(code: number): void
  /** ESC and one character. */
  escape(final: string): void
  /** CSI. `prefix`: `?` and the like. A parameter that was left out is 0. */
  sequence(prefix: string, parameters: readonly number[], final: string): void
}

type State = 'ground' | 'escape' | 'charset' | 'sequence' | 'string' | 'string-escape'
const longestSequence = 64
const [bell, cancel, substitute, escapeCode, del, firstShown] = [0x07, 0x18, 0x1a, 0x1b, 0x7f, 0xa0]

/** Takes text cut anywhere. What is in strings (titles, images) is dropped. */
export function createControlParser(sink: ControlSink): (text: string) => void {
  let state: State = 'ground'
  let sequence = ''

  const afterEscape = (character: string): void => {
    state = 'ground'
    if (character === '[') {
      state = 'sequence'
      sequence = ''
    } else if ('PX]^_'.includes(character)) state = 'string'
    else if ('()*+-./#% '.includes(character)) state = 'charset'
    else sink.escape(character)
  }
  const inSequence = (character: string): void => {
    if (character < '@') {
      if (sequence.length < longestSequence) sequence += character
      return
    }
    state = 'ground'
    const [, prefix = '', parameters = ''] = /^([<-?]*)([0-9;:]*)/.exec(sequence) ?? []
    sink.sequence(prefix, parameters.split(';').map(parameterOf), character)
  }
  /** Everything that is not shown. */
  const step = (character: string, code: number): void => {
    if (code === cancel || code === substitute) state = 'ground'
    else if (state === 'string' || state === 'string-escape') {
      if (code === bell || (state === 'string-escape' && character === '\\')) state = 'ground'
      else state = code === escapeCode ? 'string-escape' : 'string'
    } else if (code === escapeCode) state = 'escape'
    else if (code < 0x20) sink.control(code)
    else if (state === 'escape') afterEscape(character)
    else if (state === 'sequence') inSequence(character)
    else if (state === 'charset') state = 'ground'
  }
  return (text) => {
    for (let at = 0; at < text.length; ) {
      const start = at
      if (state === 'ground') while (at < text.length && isShown(text.charCodeAt(at))) at++
      if (at > start) sink.print(text.slice(start, at))
      else step(text.charAt(at), text.charCodeAt(at++))
    }
  }
}

const isShown = (code: number): boolean => code >= firstShown || (code >= 0x20 && code < del)
/** Sub-parameters (after a colon) only ever say how something looks. */
const parameterOf = (text: string): number => Math.min(Number.parseInt(text, 10) || 0, 0xffff)
