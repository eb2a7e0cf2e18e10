/**
 * The line of a terminal that was written last, as a user sees it: enough of ECMA-48 for what shells, line editors and
 * prompts do within a line. A jump to elsewhere on the screen begins a new one.
 */
import { createSequences, type Sequences } from './sequences.ts'

const longestLine = 512
const newline = 0x0a
const carriageReturn = 0x0d
const backspace = 0x08
const isContinuation = (byte: number): boolean => (byte & 0xc0) === 0x80

export class ScreenLine {
  /** One character each, its UTF-8 as Latin-1. */
  #cells: string[] = []
  #cursor = 0
  readonly #sequences: Sequences = createSequences()
  /** The program has the whole screen for itself (xterm's private modes 47, 1047 and 1049). */
  isAlternate = false

  get text(): string {
    return this.#cells.join('')
  }

  /** Reads up to the end of the line, or of the bytes; gives where the next line begins, or -1. */
  write(bytes: Uint8Array, from: number): number {
    for (let at = from; at < bytes.length; at++) {
      const byte = bytes[at] ?? 0
      if (byte > 0x1f && byte !== 0x7f && this.#sequences.isOutside) {
        this.#put(byte)
        continue
      }
      const kind = this.#sequences.next(byte)
      if (kind === 'text') this.#put(byte)
      else if (kind === 'end') this.#obey(this.#sequences.last)
      else if (kind === 'control' && byte === newline) return at + 1
      else if (byte === carriageReturn) this.#cursor = 0
      else if (byte === backspace) this.#cursor = Math.max(this.#cursor - 1, 0)
    }
    return -1
  }

  begin(): void {
    this.#cells = []
    this.#cursor = 0
  }

  #put(byte: number): void {
    const cells = this.#cells
    if (isContinuation(byte) && this.#cursor > 0) {
      cells[this.#cursor - 1] += String.fromCharCode(byte)
      return
    }
    if (this.#cursor >= longestLine) this.begin()
    while (this.#cells.length < this.#cursor) this.#cells.push(' ')
    this.#cells[this.#cursor++] = String.fromCharCode(byte)
  }

  /** `sequence`: from behind the ESC. */
  #obey(sequence: string): void {
    const final = sequence.at(-1)
    if (!sequence.startsWith('[') || final === undefined) return
    if (sequence.startsWith('[?')) {
      if (/^\[\?(?:47|1047|1049)[hl]$/.test(sequence)) {
        this.isAlternate = final === 'h'
        this.begin()
      }
      return
    }
    const count = Number.parseInt(sequence.slice(1), 10) || 0
    const cells = this.#cells
    switch (final) {
      case 'C':
        this.#cursor = Math.min(this.#cursor + Math.max(count, 1), longestLine)
        return
      case 'D':
        this.#cursor = Math.max(this.#cursor - Math.max(count, 1), 0)
        return
      case 'G':
        this.#cursor = Math.min(Math.max(count, 1), longestLine) - 1
        return
      case 'K':
        if (count === 0) cells.length = Math.min(cells.length, this.#cursor)
        else if (count === 2) cells.length = 0
        return
      case 'P':
        cells.splice(this.#cursor, Math.max(count, 1))
        return
      case '@':
        cells.splice(this.#cursor, 0, ...Array.from({ length: Math.min(Math.max(count, 1), longestLine) }, () => ' '))
        return
      case 'A':
      case 'B':
      case 'H':
      case 'd':
      case 'f':
      case 'J':
        this.begin()
    }
  }
}
