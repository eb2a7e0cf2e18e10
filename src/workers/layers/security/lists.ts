/** The lists of the configuration, made ready for many questions. */
import { posix } from 'node:path'
import { type Endpoint, type EndpointRule, isAmbiguous, parseEndpointRule } from '../../../shared/endpoint-rule.ts'
import { type Matcher, matcherOf, type Pattern } from '../../../shared/pattern.ts'

/** Is the value on the list? Undefined: no. Otherwise where, as it is written behind the list's name: `[2]`. */
export type List<T> = (value: T) => string | undefined
/** A value that cannot be judged is on no list that allows, and on each that denies, unless that is empty. */
export type Purpose = 'allow' | 'deny'

/** Longest value that patterns are tried on, in UTF-16 units. */
export const longestMatched = 4096

const nothing: List<unknown> = () => undefined
const unsure = (purpose: Purpose, why: string): string | undefined => (purpose === 'deny' ? ` (${why})` : undefined)

export function texts(entries: readonly (string | Pattern)[], purpose: Purpose): List<string> {
  if (entries.length === 0) return nothing
  const exact = new Map<string, number>()
  const patterns: { readonly index: number; readonly matches: Matcher }[] = []
  for (const [index, entry] of entries.entries()) {
    if (typeof entry !== 'string') patterns.push({ index, matches: matcherOf(entry) })
    else if (!exact.has(entry)) exact.set(entry, index)
  }
  return (text) => {
    const index = exact.get(text)
    if (index !== undefined) return `[${index}]`
    if (patterns.length === 0) return undefined
    if (text.length > longestMatched) return unsure(purpose, 'too long to be compared with a pattern')
    const found = patterns.find(({ matches }) => matches(text))
    return found === undefined ? undefined : `[${found.index}]`
  }
}

/** Paths of sockets. Only links could still give a path that is in its shortest form a second spelling. */
export function paths(entries: readonly (string | Pattern)[], purpose: Purpose): List<string> {
  if (entries.length === 0) return nothing
  const list = texts(entries, purpose)
  return (path) => (posix.normalize(path) === path ? list(path) : unsure(purpose, 'not the shortest form of the path'))
}

export function endpoints(texts: readonly string[], purpose: Purpose): List<Endpoint> {
  if (texts.length === 0) return nothing
  const rules = texts.map(ruleOf)
  return (endpoint) => {
    if (isAmbiguous(endpoint.host)) return unsure(purpose, 'a host that may be another one')
    const index = rules.findIndex((matches) => matches(endpoint))
    return index === -1 ? undefined : `[${index}]`
  }
}

function ruleOf(text: string): EndpointRule {
  const rule = parseEndpointRule(text)
  if (typeof rule === 'string') throw new Error(`unreachable: the configuration was checked: ${text} ${rule}`)
  return rule
}
