/** The rows of a screen, and the text in them. */

export interface Row {
  readonly cells: string[]
  /** The text went on in the next row because this one was full. */
  wraps: boolean
}
export const emptyRow = (): Row => ({ cells: [], wraps: false })

/** UTF-16 units in one cell: a character and the marks on it. */
const mostInCell = 16
const zeroWidth = /^[\p{M}\p{Cf}]$/u

/** Columns that a character takes. Approximates Unicode's East Asian Width. */
export function widthOf(character: string): 0 | 1 | 2 {
  const code = character.codePointAt(0) ?? 0
  if (code < 0x300) return 1
  if (zeroWidth.test(character)) return 0
  return wide.some(([first, last]) => code >= first && code <= last) ? 2 : 1
}
const wide: readonly (readonly [number, number])[] = [
  [0x1100, 0x115f],
  [0x2e80, 0xa4cf],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe30, 0xfe6f],
  [0xff00, 0xff60],
  [0xffe0, 0xffe6],
  [0x1f300, 0x1f64f],
  [0x1f900, 0x1f9ff],
  [0x20000, 0x3fffd],
]

export function setCell({ cells }: Row, column: number, character: string, width: 1 | 2): void {
  while (cells.length < column) cells.push(' ')
  cells[column] = character
  if (width === 2) cells[column + 1] = ''
}

/** A mark belongs to the character before it. */
export function addToCell({ cells }: Row, column: number, mark: string): void {
  const cell = cells[column]
  if (cell !== undefined && cell.length < mostInCell) cells[column] = cell + mark
}

/** From `from` up to, not including, `to`. */
export function eraseCells(row: Row, from: number, to: number): void {
  if (to >= row.cells.length) {
    row.cells.length = Math.min(row.cells.length, from)
    row.wraps = false
  } else row.cells.fill(' ', from, to)
}

export const textOf = ({ cells, wraps }: Row): string => (wraps ? cells.join('') : cells.join('').trimEnd())

export function insertBlanks({ cells }: Row, column: number, count: number, columns: number): void {
  if (column >= cells.length) return
  const rest = cells.splice(column)
  for (let left = Math.min(count, columns); left > 0; left--) cells.push(' ')
  cells.push(...rest)
  cells.length = Math.min(cells.length, columns)
}
