/**
 * The screen of a terminal as far as its text goes: what programs write is put where a terminal would show it, and a line
 * is given out when it leaves the screen, by scrolling or because all is erased, or when the screen is closed. No colours,
 * no modes but the alternate screen.
 */
import { createControlParser } from './control.ts'
import { emptyRow } from './grid.ts'
import { giveOut, giveOutAll, print, rowAt, type ScreenState, showAlternate } from './screen-state.ts'
import { actOnControl, actOnEscape, actOnSequence } from './sequences.ts'

export interface ScreenSize {
  readonly columns: number
  readonly rows: number
}
export interface ScreenOptions extends ScreenSize {
  /** Takes one line without its newline; at most 64 Ki UTF-16 units and a row. */
  readonly line: (text: string) => void
  /** There is no terminal driver that would return the carriage at a line feed. */
  readonly newline: boolean
}
export interface Screen {
  write(text: string): void
  resize(size: ScreenSize): void
  /** Gives out what is still on the screen. */
  close(): void
}

/** Larger screens do not exist, but a client can ask for them. */
export const mostColumns = 1000
const mostRows = 500

export function createScreen({ columns, rows, line, newline }: ScreenOptions): Screen {
  const state: ScreenState = {
    columns,
    rows,
    line,
    grid: [emptyRow()],
    main: undefined,
    x: 0,
    y: 0,
    top: 0,
    bottom: 0,
    saved: { x: 0, y: 0 },
    joined: '',
  }
  resize(state, { columns, rows })
  const write = createControlParser({
    print: (text) => print(state, text),
    control: (code) => actOnControl(state, code, newline),
    escape: (final) => actOnEscape(state, final),
    sequence: (prefix, parameters, final) => actOnSequence(state, prefix, parameters, final),
  })
  return {
    write,
    resize: (size) => resize(state, size),
    close() {
      showAlternate(state, false)
      giveOutAll(state)
    },
  }
}

function resize(state: ScreenState, size: ScreenSize): void {
  state.columns = Math.max(1, Math.min(size.columns, mostColumns))
  state.rows = Math.max(1, Math.min(size.rows, mostRows))
  for (; state.y >= state.rows; state.y--) {
    giveOut(state, rowAt(state, 0))
    state.grid.shift()
  }
  state.grid.length = Math.min(state.grid.length, state.rows)
  state.x = Math.min(state.x, state.columns)
  state.top = 0
  state.bottom = state.rows - 1
}
