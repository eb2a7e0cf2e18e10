/**
 * Masks what a user types while the terminal does not show it: each byte of text becomes `*`.
 *
 * Nobody tells us whether a terminal echoes: that is a setting of the pseudo terminal in the room. What we see is what
 * was typed and what came back. So typed text is held until the line on the screen has grown by it, and is recorded as
 * it is, or until the line has changed otherwise or nothing has come, and is recorded masked. When the line on the screen
 * asks for a secret, or what was typed before on this line was not shown, text is masked at once, so that a replay has
 * its timing. Control characters and sequences stay as they are. Programs that have the whole screen for themselves
 * (editors, pagers) show in their own ways what was typed: there only prompts count.
 *
 * What this cannot see: a program that shows the secret itself; one that asks for it in the middle of a full screen with
 * words that we do not know; input without a terminal. And it masks more than it must where a program acts on single keys
 * without a screen of its own. What was masked although it was shown stands in the recorded output.
 */
import { asksForSecret } from './prompt.ts'
import { ScreenLine } from './screen-line.ts'
import { createSequences } from './sequences.ts'

/** How long the echo may take. */
const echoMs = 1000
/** Typed ahead of it. */
const mostHeldBytes = 16 * 1024
/** Of a block of output, where nobody waits for an echo: only its end is the last line. */
const tailBytes = 1024
const headBytes = 16 * 1024
const star = 0x2a
const newline = 0x0a
const endOfLine = new Set([0x0a, 0x0d, 0x03, 0x04])

export class Echo {
  readonly #record: (bytes: Uint8Array) => void
  readonly #line = new ScreenLine()
  readonly #typed = createSequences()
  /** What was typed and not recorded yet; text of it is true in `#isText`. */
  #held: number[] = []
  #isText: boolean[] = []
  /** Text that was recorded masked and may still be shown after all. */
  #watched = ''
  /** Masked bytes of this line that were shown. */
  #shown = 0
  /** Text is masked until the end of the line. */
  #isHidden = false
  #asked = false
  #timer: NodeJS.Timeout | undefined

  /** `record`: takes what was typed, masked or not; the bytes are lent. */
  constructor(record: (bytes: Uint8Array) => void) {
    this.#record = record
  }

  /** From the client. */
  typed(bytes: Uint8Array): void {
    if (this.#line.isAlternate && !this.#asked && this.#held.length === 0) {
      this.#record(bytes)
      return
    }
    for (const byte of bytes) {
      const isText = this.#typed.next(byte) === 'text'
      this.#held.push(byte)
      this.#isText.push(isText)
    }
    if (this.#asked || this.#isHidden) this.#mask()
    else if (!this.#isText.includes(true)) this.#release(this.#held.length, false)
    else if (this.#held.length > mostHeldBytes) this.#mask()
    else this.#timer ??= setTimeout(unechoed, echoMs, this).unref()
  }

  /** To the client, before it is recorded. */
  written(bytes: Uint8Array): void {
    const isAwaited = this.#held.length > 0 || this.#watched !== ''
    let at = 0
    if (isAwaited) at = this.#compare(bytes)
    else at = this.#skip(bytes, 0)
    for (let next = at; next >= 0 && next < bytes.length; ) {
      next = this.#line.write(bytes, next)
      if (next >= 0) this.#begin()
    }
    this.#look()
  }

  /** Nothing more will be typed or shown. */
  end(): void {
    if (this.#held.length > 0) this.#mask()
    clearTimeout(this.#timer)
  }

  unechoed(): void {
    this.#timer = undefined
    if (this.#held.length > 0) this.#mask()
  }

  #look(): void {
    const { isAlternate, text } = this.#line
    if (asksForSecret(text)) this.#asked = true
    // On a full screen something else may have been drawn since; elsewhere the question is gone.
    else if (!isAlternate && !this.#isHidden) this.#asked = false
  }

  /** Line by line, as long as something typed is not decided. Gives from where on nobody has looked. */
  #compare(bytes: Uint8Array): number {
    const heldBytes = this.#held.length
    let at = 0
    while (at < bytes.length && (this.#held.length > 0 || this.#watched !== '')) {
      if (at > headBytes) {
        if (this.#held.length > 0) this.#mask()
        this.#watched = ''
        return this.#skip(bytes, at)
      }
      const before = this.#line.text
      const next = this.#line.write(bytes, at)
      this.#changed(before, this.#line.text, next >= 0)
      at = next < 0 ? bytes.length : next
      if (next >= 0) this.#begin()
    }
    // The program went on to a new line, and what was typed before stands nowhere.
    if (this.#held.length === heldBytes && bytes.includes(newline)) this.#release(heldBytes, true)
    return at
  }

  /** A new line on the screen: what was not shown on the last one says nothing about it. */
  #begin(): void {
    this.#line.begin()
    if (!this.#line.isAlternate) this.#isHidden = false
  }

  /** To the last line; of what is before only matters whether the screen was switched. */
  #skip(bytes: Uint8Array, from: number): number {
    const start = Math.max(from, bytes.length - tailBytes, bytes.lastIndexOf(newline) + 1)
    if (start === from) return from
    const rest = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    for (let at = rest.indexOf('\x1b[?', from); at >= 0 && at < start; at = rest.indexOf('\x1b[?', at + 3)) {
      this.#line.write(rest.subarray(at, at + 8), 0)
    }
    this.#begin()
    return start
  }

  /** The line on the screen was `before` and is `now`; `isOver`: a new one follows. */
  #changed(before: string, now: string, isOver: boolean): void {
    if (before === now && !isOver) return
    const shown = now.slice(commonLength(before, now))
    if (this.#watched !== '') this.#late(shown)
    const from = this.#isText.indexOf(true)
    const end = this.#endOfLine
    if (from < 0 || (end >= 0 && end < from)) {
      // Nothing is to be shown on this line.
      if (isOver) this.#release(end + 1, false)
      return
    }
    const text = this.#textAt(from)
    if (shown !== '' && (shown.startsWith(text) || (text.startsWith(shown) && !isOver))) {
      this.#release(from + Math.min(text.length, shown.length), false)
      if (isOver) this.#release(this.#endOfLine + 1, false)
    } else if (isOver && end >= 0) {
      // An echo would have come before the new line that the user asked for. Otherwise it may still come.
      this.#release(end + 1, true)
    }
  }

  /** Where the user ended a line; -1: nowhere. */
  get #endOfLine(): number {
    return this.#held.findIndex((byte, at) => !this.#isText[at] && endOfLine.has(byte))
  }

  /** A run of text among what is held. */
  #textAt(from: number): string {
    const to = this.#isText.indexOf(false, from)
    return Buffer.from(this.#held.slice(from, to < 0 ? undefined : to)).toString('latin1')
  }

  /** Something was masked although it is shown: after the second time, or a longer text, this line is not secret. */
  #late(shown: string): void {
    const { length } = commonStart(this.#watched, shown)
    this.#watched = this.#watched.slice(length)
    if (length === 0) {
      this.#watched = ''
      this.#shown = 0
      return
    }
    this.#shown += length
    if (this.#shown < 2) return
    this.#isHidden = false
    this.#asked = false
    this.#watched = ''
  }

  /** All that is held. */
  #mask(): void {
    if (this.#isText.includes(true)) this.#isHidden = true
    const text = this.#held.filter((_byte, index) => this.#isText[index])
    this.#watched = `${this.#watched}${Buffer.from(text).toString('latin1')}`.slice(-mostHeldBytes)
    this.#release(this.#held.length, true)
  }

  #release(count: number, isMasked: boolean): void {
    if (count === 0) return
    const bytes = this.#held.splice(0, count)
    const isText = this.#isText.splice(0, count)
    if (this.#held.length === 0) {
      clearTimeout(this.#timer)
      this.#timer = undefined
    } else this.#timer?.refresh()
    this.#record(Uint8Array.from(isMasked ? bytes.map((byte, index) => (isText[index] ? star : byte)) : bytes))
    if (!bytes.some((byte, index) => !isText[index] && endOfLine.has(byte))) return
    // The next line is looked at anew.
    this.#isHidden = false
    this.#asked = false
    this.#shown = 0
    this.#watched = ''
  }
}

const unechoed = (echo: Echo): void => echo.unechoed()

function commonLength(a: string, b: string): number {
  const most = Math.min(a.length, b.length)
  let length = 0
  while (length < most && a[length] === b[length]) length++
  return length
}
const commonStart = (a: string, b: string): string => a.slice(0, commonLength(a, b))
