/** What a screen shows, and what changes it. Lines are given out when they leave it. */
import { addToCell, emptyRow, eraseCells, type Row, setCell, textOf, widthOf } from './grid.ts'

export interface ScreenState {
  columns: number
  rows: number
  /** Rows that were never reached are not there yet. */
  grid: Row[]
  /** While the alternate screen is shown. */
  main: Row[] | undefined
  /** The cursor; `x` is the number of columns after the last of a full row. */
  x: number
  y: number
  /** First and last row of the scrolling region. */
  top: number
  bottom: number
  saved: { readonly x: number; readonly y: number }
  /** The beginning of a line that goes on in the next row. */
  joined: string
  readonly line: (text: string) => void
}

/** UTF-16 units of a line that went on over many rows. */
const longestLine = 64 * 1024

export function rowAt({ grid }: ScreenState, index: number): Row {
  while (grid.length <= index) grid.push(emptyRow())
  return grid[index] ?? emptyRow()
}

export function giveOut(state: ScreenState, row: Row): void {
  state.joined += textOf(row)
  if (row.wraps && state.joined.length < longestLine) return
  state.line(state.joined.trimEnd())
  state.joined = ''
}

/** All that is on the screen, without the empty rows at its end. Leaves it empty. */
export function giveOutAll(state: ScreenState): void {
  const { grid } = state
  let count = grid.length
  while (count > 0 && textOf(grid[count - 1] ?? emptyRow()) === '') count--
  for (const row of grid.slice(0, count)) giveOut(state, row)
  if (state.joined !== '') giveOut(state, emptyRow())
  state.grid = [emptyRow()]
}

/** Only the first row of the region is given out: rows below it are deleted by programs that write them again. */
export function scrollUp(state: ScreenState, from = state.top): void {
  const row = rowAt(state, from)
  rowAt(state, state.bottom)
  if (from === state.top) giveOut(state, row)
  state.grid.splice(from, 1)
  state.grid.splice(state.bottom, 0, emptyRow())
}

export function scrollDown(state: ScreenState, from = state.top): void {
  rowAt(state, state.bottom)
  state.grid.splice(state.bottom, 1)
  state.grid.splice(from, 0, emptyRow())
}

export function lineFeed(state: ScreenState): void {
  if (state.y === state.bottom) scrollUp(state)
  else if (state.y < state.rows - 1) state.y++
}

export function moveTo(state: ScreenState, column: number, row: number): void {
  state.x = Math.max(0, Math.min(column, state.columns - 1))
  state.y = Math.max(0, Math.min(row, state.rows - 1))
}

export function print(state: ScreenState, text: string): void {
  for (const character of text) {
    const width = widthOf(character)
    if (width === 0) {
      addToCell(rowAt(state, state.y), state.x - 1, character)
      continue
    }
    // The cursor stays behind a full row until there is something to write in the next.
    if (state.x + width > state.columns && state.x > 0) {
      rowAt(state, state.y).wraps = true
      state.x = 0
      lineFeed(state)
    }
    setCell(rowAt(state, state.y), state.x, character, width)
    state.x += width
  }
}

export function eraseDisplay(state: ScreenState, mode: number): void {
  const { x, y, columns, grid } = state
  if (mode >= 2 || (mode === 0 && x === 0 && y === 0)) giveOutAll(state)
  else if (mode === 0) {
    eraseCells(rowAt(state, y), x, columns)
    grid.length = Math.min(grid.length, y + 1)
  } else {
    rowAt(state, y)
    for (let index = 0; index < y; index++) grid[index] = emptyRow()
    eraseCells(rowAt(state, y), 0, x + 1)
  }
}

export function eraseLine(state: ScreenState, mode: number): void {
  const { x, columns } = state
  eraseCells(rowAt(state, state.y), mode === 0 ? Math.min(x, columns) : 0, mode === 1 ? x + 1 : columns)
}

export function showAlternate(state: ScreenState, isOn: boolean): void {
  if (isOn === (state.main !== undefined)) return
  if (isOn) {
    state.main = state.grid
    state.grid = [emptyRow()]
  } else {
    giveOutAll(state)
    state.grid = state.main ?? state.grid
    state.main = undefined
    // It may be smaller than when it was left.
    for (; state.grid.length > state.rows; state.grid.shift()) giveOut(state, rowAt(state, 0))
  }
  state.top = 0
  state.bottom = state.rows - 1
}
