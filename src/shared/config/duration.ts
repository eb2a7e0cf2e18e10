/**
 * Durations as the configuration writes them: Go's notation (https://pkg.go.dev/time#ParseDuration), or a whole number
 * of nanoseconds. Inside the program a duration is a number of milliseconds.
 */

const unitMs: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
}

/** The longest delay that a timer of the runtime accepts; longer ones would fire at once. */
export const longestDurationMs = 2 ** 31 - 1

const whole = /^[+-]?(?:0|(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+)$/
const part = /(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/g

/** Milliseconds, rounded to nanoseconds; undefined if the text is no duration. */
export const parseDuration = (text: string): number | undefined => {
  // Bounded before the expression sees it: no honest duration is longer.
  if (text.length > 100 || !whole.test(text)) return undefined
  let ms = 0
  for (const [, digits, unit] of text.matchAll(part)) ms += Number(digits) * (unitMs[unit ?? ''] ?? Number.NaN)
  if (!Number.isFinite(ms)) return undefined
  const rounded = Math.round(ms * 1e6) / 1e6
  return text.startsWith('-') && rounded !== 0 ? -rounded : rounded
}

const trimmed = (value: number, decimals: number): string =>
  value
    .toFixed(decimals)
    .replace(/(\.\d*?)0+$/, '$1')
    .replace(/\.$/, '')

/** The shortest exact text in Go's form: `1m0s`, `2s`, `500ms`, `0s`. */
export const formatDuration = (ms: number): string => {
  if (ms === 0) return '0s'
  if (ms < 0) return `-${formatDuration(-ms)}`
  if (ms < 1e-3) return `${Math.round(ms * 1e6)}ns`
  if (ms < 1) return `${trimmed(ms * 1000, 3)}µs`
  if (ms < 1000) return `${trimmed(ms, 6)}ms`
  const hours = Math.floor(ms / 3_600_000)
  const minutes = Math.floor((ms % 3_600_000) / 60_000)
  const seconds = `${trimmed((ms % 60_000) / 1000, 9)}s`
  if (hours > 0) return `${hours}h${minutes}m${seconds}`
  return minutes > 0 ? `${minutes}m${seconds}` : seconds
}
