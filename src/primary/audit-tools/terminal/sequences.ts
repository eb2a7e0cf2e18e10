/** What control characters and escape sequences do to a screen; those that are not here do nothing to its text. */
import { emptyRow, eraseCells, insertBlanks } from './grid.ts'
import {
  eraseDisplay,
  eraseLine,
  giveOutAll,
  lineFeed,
  moveTo,
  rowAt,
  type ScreenState,
  scrollDown,
  scrollUp,
  showAlternate,
} from './screen-state.ts'

/** `count` is the first parameter, at least 1. */
type Act = (state: ScreenState, count: number, first: number, second: number) => void

const tabWidth = 8
/** Of the alternate screen; the last one keeps the cursor of the main screen, too. */
const alternateModes: readonly number[] = [47, 1047, 1049]
const savesCursor = 1049

/** More often than there are rows changes nothing. */
const times = ({ rows }: ScreenState, count: number, action: () => void): void => {
  for (let left = Math.min(count, rows); left > 0; left--) action()
}
const isInRegion = ({ y, top, bottom }: ScreenState): boolean => y >= top && y <= bottom
const save: Act = (state) => {
  state.saved = { x: state.x, y: state.y }
}
const restore: Act = (state) => moveTo(state, state.saved.x, state.saved.y)
const toColumn: Act = (state, count) => moveTo(state, count - 1, state.y)
const toPlace: Act = (state, count, _, second) => moveTo(state, Math.max(1, second) - 1, count - 1)
const setRegion: Act = (state, _, first, second) => {
  const from = Math.max(first, 1) - 1
  const to = Math.min(second || state.rows, state.rows) - 1
  state.top = from < to ? from : 0
  state.bottom = from < to ? to : state.rows - 1
  moveTo(state, 0, 0)
}

const acts: Readonly<Record<string, Act>> = {
  A: (state, count) => moveTo(state, state.x, state.y - count),
  B: (state, count) => moveTo(state, state.x, state.y + count),
  C: (state, count) => moveTo(state, state.x + count, state.y),
  D: (state, count) => moveTo(state, Math.min(state.x, state.columns - 1) - count, state.y),
  E: (state, count) => moveTo(state, 0, state.y + count),
  F: (state, count) => moveTo(state, 0, state.y - count),
  G: toColumn,
  '`': toColumn,
  d: (state, count) => moveTo(state, state.x, count - 1),
  H: toPlace,
  f: toPlace,
  J: (state, _, mode) => eraseDisplay(state, mode),
  K: (state, _, mode) => eraseLine(state, mode),
  L: (state, count) => times(state, count, () => isInRegion(state) && scrollDown(state, state.y)),
  M: (state, count) => times(state, count, () => isInRegion(state) && scrollUp(state, state.y)),
  P: (state, count) => rowAt(state, state.y).cells.splice(state.x, count),
  '@': (state, count) => insertBlanks(rowAt(state, state.y), state.x, count, state.columns),
  X: (state, count) => eraseCells(rowAt(state, state.y), state.x, state.x + count),
  S: (state, count) => times(state, count, () => scrollUp(state)),
  T: (state, count) => times(state, count, () => scrollDown(state)),
  r: setRegion,
  s: save,
  u: restore,
}

export function actOnSequence(state: ScreenState, prefix: string, parameters: readonly number[], final: string): void {
  const [first = 0, second = 0] = parameters
  if (prefix === '') acts[final]?.(state, first || 1, first, second)
  else if (prefix === '?' && (final === 'h' || final === 'l')) {
    const modes = parameters.filter((mode) => alternateModes.includes(mode))
    if (modes.length === 0) return
    const withCursor = modes.includes(savesCursor)
    if (withCursor && final === 'h') save(state, 1, 0, 0)
    showAlternate(state, final === 'h')
    if (withCursor && final === 'l') restore(state, 1, 0, 0)
  }
}

export function actOnEscape(state: ScreenState, final: string): void {
  if (final === '7') save(state, 1, 0, 0)
  else if (final === '8') restore(state, 1, 0, 0)
  else if (final === 'D') lineFeed(state)
  else if (final === 'E') {
    state.x = 0
    lineFeed(state)
  } else if (final === 'M') {
    if (state.y === state.top) scrollDown(state)
    else moveTo(state, state.x, state.y - 1)
  } else if (final === 'c') {
    giveOutAll(state)
    state.grid = [emptyRow()]
    setRegion(state, 1, 0, 0)
  }
}

/** `newline`: a line feed also returns the carriage. */
export function actOnControl(state: ScreenState, code: number, newline: boolean): void {
  const { x, columns } = state
  if (code === 0x08) state.x = Math.max(0, Math.min(x, columns) - 1)
  else if (code === 0x09) state.x = Math.min(columns - 1, (Math.floor(x / tabWidth) + 1) * tabWidth)
  else if (code === 0x0d) state.x = 0
  else if (code >= 0x0a && code <= 0x0c) {
    if (newline) state.x = 0
    lineFeed(state)
  }
}
