/** What is wrong with a configuration, and where. */
import { basename } from 'node:path'

/** One wrong place. `message` reads after the option's name. */
export interface Problem {
  /** Offset in the file; undefined if the problem has no place (something is missing). */
  readonly at: number | undefined
  /** Dotted, as written: `docker.execution.container.image`, `ssh.hostkeys[0]`; empty for the file as a whole. */
  readonly path: string
  readonly message: string
}

/** All that is wrong, one line each, ready to print. */
export class ConfigErrors extends Error {
  readonly lines: readonly string[]
  readonly file: string
  constructor(file: string, lines: readonly string[]) {
    super(lines.join('\n'))
    this.name = 'ConfigErrors'
    this.file = file
    this.lines = lines
  }
}

/** `config.yaml:12:5: ssh.clientAliveInterval: "5x" is not a duration` */
export const describe = (file: string, source: string, { at, path, message }: Problem): string => {
  const head = [basename(file)]
  if (at !== undefined) {
    const before = source.slice(0, at)
    head.push(String(before.split('\n').length), String(at - before.lastIndexOf('\n')))
  }
  const option = path === '' ? '' : `${path}: `
  return `${head.join(':')}: ${option}${message}`
}

/** A value for an error text: short, on one line. */
export const show = (value: unknown): string => {
  if (value === undefined) return 'nothing'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object' && value !== null) return 'a mapping'
  const text = JSON.stringify(value)
  return text.length > 60 ? `${text.slice(0, 60)}…` : text
}

/** Edits (insert, delete, replace, swap of neighbours) from one word to the other, without regard to case. */
const distance = (a: string, b: string): number => {
  let before: number[] = []
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1]
      let best = Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + (same ? 0 : 1))
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      if (swapped) best = Math.min(best, (before[j - 2] ?? 0) + 1)
      next.push(best)
    }
    before = row
    row = next
  }
  return row[b.length] ?? 0
}

/** The known word that was probably meant, if one is near enough. */
export const nearest = (word: string, known: readonly string[]): string | undefined => {
  if (word.length > 60) return undefined
  const lower = word.toLowerCase()
  let best: string | undefined
  let bestDistance = Math.max(2, Math.floor(word.length / 3)) + 1
  for (const candidate of known) {
    const edits = distance(lower, candidate.toLowerCase())
    if (edits < bestDistance) [best, bestDistance] = [candidate, edits]
  }
  return best
}
