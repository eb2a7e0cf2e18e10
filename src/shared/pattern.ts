/**
 * Texts that stand for many: globs and regular expressions, always matched against the whole of a text. What is matched
 * comes from clients, so both take linear or at worst quadratic time, whatever the pattern.
 */
import { createRequire } from 'node:module'

/** Exactly one of the two. */
export interface Pattern {
  /** `*`: any characters or none; `?`: one character; `\`: the next character as it is. */
  readonly glob?: string | undefined
  /** RE2 syntax, which Go uses too: no look-around, no back-references. */
  readonly regex?: string | undefined
}
export type Matcher = (text: string) => boolean

/** Longest pattern, in UTF-16 units. */
export const longestPattern = 1024

type Engine = typeof import('re2js')
/** JavaScript's own engine backtracks. This one costs 20 ms and 4 MB, so only who writes a regular expression loads it. */
let engine: Engine | undefined
const regexMatcher = (regex: string): Matcher => {
  engine ??= createRequire(import.meta.url)('re2js') as Engine
  const compiled = engine.RE2JS.compile(regex)
  return (text) => compiled.testExact(text)
}

/** Replaces what the regular expressions find anywhere in a text, one after the other. @throws as `matcherOf` */
export function replacerOf(regexes: readonly string[], replacement: string): (text: string) => string {
  if (regexes.length === 0) return (text) => text
  engine ??= createRequire(import.meta.url)('re2js') as Engine
  const { RE2JS } = engine
  const compiled = regexes.map((regex) => RE2JS.compile(regex))
  const literal = replacement.replaceAll('$', '$$')
  return (text) => compiled.reduce((left, each) => each.matcher(left).replaceAll(literal), text)
}

/** @throws Error for what `patternProblem` names. */
export const matcherOf = ({ glob, regex }: Pattern): Matcher =>
  regex === undefined ? globMatcher(glob ?? '') : regexMatcher(regex)

/** What is wrong with a pattern, to be read after its value. */
export function patternProblem(pattern: Pattern): string | undefined {
  const text = pattern.regex ?? pattern.glob ?? ''
  if (text === '') return 'is empty; expected a pattern'
  if (text.length > longestPattern) return `is too long; expected at most ${longestPattern} characters`
  try {
    matcherOf(pattern)
    return undefined
  } catch (error) {
    const reason = error instanceof Error ? error.message.replace(/^error parsing regexp: /, '') : 'unknown reason'
    return `is not a regular expression in RE2 syntax (${reason})`
  }
}

const any = Symbol('*')
const one = Symbol('?')
type Token = string | typeof any | typeof one

function tokensOf(glob: string): readonly Token[] {
  const tokens: Token[] = []
  let literally = false
  for (const character of glob) {
    if (literally || !'\\*?'.includes(character)) {
      tokens.push(character)
      literally = false
    } else if (character === '\\') literally = true
    else if (character === '?') tokens.push(one)
    else if (tokens.at(-1) !== any) tokens.push(any)
  }
  if (literally) tokens.push('\\')
  return tokens
}

export function globMatcher(glob: string): Matcher {
  const tokens = tokensOf(glob)
  return (text) => {
    const characters = [...text]
    let at = 0
    let token = 0
    // Only the last `*` is ever tried again: what those before it took can stay as it is.
    let star = -1
    let tried = 0
    while (at < characters.length) {
      const wanted = tokens[token]
      if (wanted === any) {
        star = token++
        tried = at
      } else if (wanted === one || (wanted !== undefined && wanted === characters[at])) {
        token++
        at++
      } else if (star === -1) return false
      else {
        token = star + 1
        at = ++tried
      }
    }
    if (tokens[token] === any) token++
    return token === tokens.length
  }
}
