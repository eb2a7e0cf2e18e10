/**
 * JSON (RFC 8259) to a tree. `JSON.parse` tells no positions, and quotes the file in its errors, which may hold
 * secrets.
 */
import { deepest, type Entry, mostNodes, type Node, TreeError } from './tree.ts'

const space = /[ \t\n\r]*/y
const literal = /true|false|null/y
const number = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
// biome-ignore lint/suspicious/noControlCharactersInRegex: RFC 8259 section 7 forbids exactly these unescaped
const string = /"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y

class Reader {
  readonly #source: string
  #nodes = 0
  at = 0
  constructor(source: string) {
    this.#source = source
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.at
    const found = pattern.exec(this.#source)?.[0]
    if (found !== undefined) this.at += found.length
    return found
  }

  skip(): void {
    this.#match(space)
  }

  /** Takes the character if it is next. */
  take(character: string): boolean {
    this.skip()
    if (this.#source[this.at] !== character) return false
    this.at += 1
    return true
  }

  expected(what: string): TreeError {
    const found = this.at >= this.#source.length ? 'the file ends here' : 'found something else'
    return new TreeError(`is not JSON: expected ${what}, ${found}`, this.at)
  }

  get ended(): boolean {
    this.skip()
    return this.at >= this.#source.length
  }

  text(): string {
    this.skip()
    const found = this.#match(string)
    if (found === undefined) throw this.expected('a text in double quotes')
    return JSON.parse(found) as string
  }

  value(depth: number): Node {
    this.#nodes += 1
    if (depth > deepest) throw new TreeError('is nested too deeply', this.at)
    if (this.#nodes > mostNodes) throw new TreeError('has too many values', this.at)
    this.skip()
    const at = this.at
    const next = this.#source[at]
    if (next === '{') return { kind: 'map', entries: this.#entries(depth), at }
    if (next === '[') return { kind: 'list', items: this.#items(depth), at }
    if (next === '"') return { kind: 'scalar', value: this.text(), at }
    const word = this.#match(literal) ?? this.#match(number)
    if (word === undefined) throw this.expected('a value')
    return { kind: 'scalar', value: JSON.parse(word) as number | boolean | null, at }
  }

  #items(depth: number): Node[] {
    const items: Node[] = []
    this.take('[')
    if (this.take(']')) return items
    do items.push(this.value(depth + 1))
    while (this.take(','))
    if (!this.take(']')) throw this.expected('"," or "]"')
    return items
  }

  /** Of entries with the same key the last one counts, as in every JSON reader. */
  #entries(depth: number): Entry[] {
    const entries = new Map<string, Entry>()
    this.take('{')
    if (this.take('}')) return []
    do {
      this.skip()
      const at = this.at
      const key = this.text()
      if (!this.take(':')) throw this.expected('":"')
      entries.set(key, { key, at, value: this.value(depth + 1) })
    } while (this.take(','))
    if (!this.take('}')) throw this.expected('"," or "}"')
    return [...entries.values()]
  }
}

/** Undefined for an empty file. Throws `TreeError`. */
export const jsonTree = (source: string): Node | undefined => {
  const reader = new Reader(source)
  if (reader.ended) return undefined
  const root = reader.value(0)
  if (!reader.ended) throw reader.expected('the end of the file')
  return root
}
