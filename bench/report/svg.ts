/** One plot of all ratios: a dot per row, a whisker for its range, a tick for the target, on a logarithmic scale. */
import { isNoisy, ratioText } from './format.ts'
import type { Result } from './result.ts'

const rowHeight = 22
const labelWidth = 330
const plotWidth = 480
const right = 110
const top = 46
const marks = [1 / 100, 1 / 30, 1 / 10, 1 / 3, 1, 3] as const
const [low, high] = [1 / 100, 4]

const escapes: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' }
const escaped = (text: string): string => text.replace(/[&<>]/g, (sign) => escapes[sign] ?? sign)

/** Horizontal place of a ratio. */
function place(ratio: number): number {
  const inside = Math.min(high, Math.max(low, ratio))
  return labelWidth + (plotWidth * Math.log(inside / low)) / Math.log(high / low)
}

interface Dot {
  readonly label: string
  readonly ratio: number
  readonly min: number
  readonly max: number
  readonly target: number | undefined
  readonly text: string
  readonly noisy: boolean
}

/** Only rows of which less is better: a plot with two directions misleads. */
function dots(result: Result): Dot[] {
  return result.answered.flatMap(({ question, answer }) =>
    answer.rows
      .filter(({ better }) => better === 'lower')
      .flatMap((row) =>
        [...row.ratios].map(([name, ratio]) => ({
          label: `${question.name}: ${row.label}${name === 'sshd' ? '' : ` (${name})`}`,
          ratio: ratio.median,
          min: ratio.min,
          max: ratio.max,
          target: row.targets.get(name),
          text: ratioText(ratio),
          noisy: isNoisy(row, ratio),
        })),
      ),
  )
}

function draw(dot: Dot, index: number): string {
  const y = top + rowHeight * index + rowHeight / 2
  const colour = dot.target === undefined ? '#57606a' : dot.ratio <= dot.target ? '#1a7f37' : '#cf222e'
  const at = (ratio: number): string => place(ratio).toFixed(1)
  const parts = [
    `<text x="${labelWidth - 10}" y="${y + 4}" text-anchor="end">${escaped(dot.label)}</text>`,
    `<line x1="${at(dot.min)}" x2="${at(dot.max)}" y1="${y}" y2="${y}" stroke="${colour}" stroke-width="2"/>`,
    `<circle cx="${at(dot.ratio)}" cy="${y}" r="4.5" stroke="${colour}" stroke-width="2" fill="${dot.noisy ? '#fff' : colour}"/>`,
    `<text x="${labelWidth + plotWidth + 10}" y="${y + 4}">${escaped(dot.text)}</text>`,
  ]
  if (dot.target !== undefined) {
    const x = at(dot.target)
    parts.push(`<line x1="${x}" x2="${x}" y1="${y - 8}" y2="${y + 8}" stroke="#0969da" stroke-width="2"/>`)
  }
  return parts.join('')
}

/** A self-contained SVG image. */
export function toSvg(result: Result): string {
  const all = dots(result)
  const bottom = top + rowHeight * all.length
  const [width, height] = [labelWidth + plotWidth + right, bottom + 16]
  const grid = marks.map((mark) => {
    const x = place(mark).toFixed(1)
    const name = mark < 1 ? `1/${Math.round(1 / mark)}` : `${mark}`
    const stroke = mark === 1 ? '#24292f' : '#d0d7de'
    return `<line x1="${x}" x2="${x}" y1="${top - 6}" y2="${bottom}" stroke="${stroke}"/><text x="${x}" y="${top - 12}" text-anchor="middle">${name}</text>`
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">
<title>Ratios of this daemon to others</title>
<rect width="100%" height="100%" fill="#fff"/>
<text x="10" y="16" font-weight="bold">Ours over the other: left of 1 we need less. Blue: target. Hollow: noisy.</text>
${grid.join('\n')}
${all.map(draw).join('\n')}
</svg>
`
}
