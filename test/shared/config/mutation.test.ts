import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import fc from 'fast-check'
import { ConfigErrors, loadConfig, parseConfig } from '../../../src/shared/config/load.ts'
import { yamlText } from '../../../src/shared/config/yaml-text.ts'
import { anyFile } from './arbitrary.ts'

const folder = mkdtempSync(join(tmpdir(), 'mutation-'))
after(() => rmSync(folder, { recursive: true }))

type Step = string | number
type Value = Readonly<Record<string, unknown>> | readonly unknown[]
const isValue = (value: unknown): value is Value => typeof value === 'object' && value !== null

const errors = async (file: string, source: string): Promise<readonly string[]> => {
  try {
    await parseConfig(file, source, { onlyParse: true })
    return []
  } catch (error) {
    assert.ok(error instanceof ConfigErrors, String((error as Error).stack))
    assert.ok(error.lines.length > 0)
    return error.lines
  }
}

/** Paths of everything in a file, the file itself not. */
const places = (value: unknown, path: readonly Step[] = []): (readonly Step[])[] => {
  const children: [Step, unknown][] = Array.isArray(value) ? [...value.entries()] : Object.entries(value ?? {})
  const below = isValue(value) ? children.flatMap(([step, child]) => places(child, [...path, step])) : []
  return path.length === 0 ? below : [path, ...below]
}
const at = (value: unknown, path: readonly Step[]): unknown =>
  path.reduce((inner, step) => (inner as Record<Step, unknown>)[step], value)
const replaced = (value: unknown, path: readonly Step[], fresh: unknown): unknown => {
  const [step, ...more] = path
  if (step === undefined) return fresh
  const child = replaced((value as Record<Step, unknown>)[step], more, fresh)
  return Array.isArray(value)
    ? value.with(Number(step), child)
    : Object.fromEntries(Object.entries(value as object).map(([key, old]) => [key, key === step ? child : old]))
}

const keyForm = /^[\w-]+$/
const spelled = (path: readonly Step[]): string =>
  path
    .map((step) =>
      typeof step === 'number' ? `[${step}]` : keyForm.test(step) ? `.${step}` : `[${JSON.stringify(step)}]`,
    )
    .join('')
    .replace(/^\./, '')
/** One is the other, or stands below it. */
const related = (line: string, path: string): boolean => {
  const named = /^c\.\w+(?::\d+:\d+)?: (.*?)(?:: |$)/.exec(line)?.[1]?.toLowerCase() ?? ''
  const [a, b] = [named, path.toLowerCase()]
  return [a, b].some((one, index) => {
    const other = index === 0 ? b : a
    return other === one || (other.startsWith(one) && ['.', '['].includes(other[one.length] ?? ''))
  })
}

const deep = (depth: number): unknown => {
  let value: unknown = 1
  for (let i = 0; i < depth; i++) value = i % 2 === 0 ? [value] : { a: value }
  return value
}
const wrongValues: readonly unknown[] = [
  ...[true, 'x', '', 5, -1, 1.5, 1e300, 2 ** 53, Number.POSITIVE_INFINITY, '5x', '9000h'],
  ...[null, [], {}, [[]], [null], [{ a: 1 }], { a: 1 }, { glob: 1 }, 'x'.repeat(300), deep(60)],
]

test('a file with one wrong value in it names the place, or the value is none that is wrong', async () => {
  const mutation = fc.tuple(anyFile, fc.nat(), fc.constantFrom(...wrongValues))
  let refused = 0
  await fc.assert(
    fc.asyncProperty(mutation, async ([file, index, value]) => {
      const all = places(file)
      const path = all[index % all.length]
      if (path === undefined) return
      const lines = await errors('c.yaml', yamlText(replaced(file, path, value)))
      refused += lines.length === 0 ? 0 : 1
      assert.ok(lines.length === 0 || lines.some((line) => related(line, spelled(path))), `${spelled(path)}\n${lines}`)
    }),
    { numRuns: 300 },
  )
  assert.ok(refused >= 100, `only ${refused} were refused`)
})

test('a key that is one letter off is named, with the key that was meant', async () => {
  let hinted = 0
  await fc.assert(
    fc.asyncProperty(anyFile, fc.nat(), fc.nat(), async (file, index, letter) => {
      const path = places(file)[index % Math.max(1, places(file).length)]
      const key = path?.at(-1)
      if (path === undefined || typeof key !== 'string' || !/^[a-zA-Z]{5,}$/.test(key)) return
      const cut = letter % key.length
      const typo = `${key.slice(0, cut)}_${key.slice(cut + 1)}`
      const parent = path.slice(0, -1)
      const changed = Object.entries(at(file, parent) as object).map(([one, child]) => [
        one === key ? typo : one,
        child,
      ])
      const lines = await errors('c.yaml', yamlText(replaced(file, parent, Object.fromEntries(changed))))
      const line = lines.find((one) => related(one, spelled([...parent, typo])))
      // Names in free maps are nobody's keys; some of Docker's and Kubernetes' objects only warn.
      if (line?.includes('did you mean')) hinted += 1
      assert.ok(lines.length === 0 || line !== undefined, `${spelled(path)} as ${typo}\n${lines}`)
    }),
    { numRuns: 300 },
  )
  assert.ok(hinted >= 100, `only ${hinted} had a hint`)
})

test('a key that stands twice is named by its path', async () => {
  await fc.assert(
    fc.asyncProperty(anyFile, fc.nat(), async (file, index) => {
      const path = places(file)[index % Math.max(1, places(file).length)]
      const key = path?.at(-1)
      if (path === undefined || typeof key !== 'string' || path.some((step) => step === '')) return
      // In JSON form YAML has no indentation to care for.
      const mark = 'MARK-OF-THE-TWICE'
      const parent = at(file, path.slice(0, -1)) as object
      const marked = Object.entries(parent).flatMap((entry) => (entry[0] === key ? [entry, [mark, entry[1]]] : [entry]))
      const source = JSON.stringify(replaced(file, path.slice(0, -1), Object.fromEntries(marked)))
      const lines = await errors('c.yaml', source.replace(JSON.stringify(mark), JSON.stringify(key)))
      const line = lines.find((one) => one.endsWith('stands here a second time'))
      assert.ok(line !== undefined && related(line, spelled(path)), `${spelled(path)}\n${lines}`)
    }),
    { numRuns: 200 },
  )
})

test('damage to the text of a file gives an error with a line, or a configuration', async () => {
  const letters = fc.constantFrom(
    ...'{}[]:,"\'#&*!|>%@`-\n\t 0~?<'.split(''),
    '<<: ',
    '*a',
    '&a ',
    '---\n',
    '\u0000',
    '\ud800',
  )
  const edits = fc.array(fc.tuple(fc.nat(), letters), { minLength: 1, maxLength: 4 })
  await fc.assert(
    fc.asyncProperty(anyFile, edits, fc.boolean(), async (file, changes, isJson) => {
      const source = changes.reduce(
        (text, [place, letter]) =>
          `${text.slice(0, place % text.length)}${letter}${text.slice((place % text.length) + 1)}`,
        isJson ? JSON.stringify(file, undefined, 1) : yamlText(file),
      )
      for (const line of await errors(isJson ? 'c.json' : 'c.yaml', source)) assert.ok(!line.includes('\n'), line)
    }),
    { numRuns: 300 },
  )
})

const many = 50_000
const hostile: readonly (readonly [what: string, source: string, suffix?: string])[] = [
  ['unknown keys', Array.from({ length: many }, (_, i) => `k${i}: 1`).join('\n')],
  ['unknown keys of a section', `{"ssh": {${Array.from({ length: many }, (_, i) => `"k${i}": 1`).join(',')}}}`, 'json'],
  ['wrong items', `auth: {users: [${'5,'.repeat(many)}]}`],
  [
    'wrong entries of a map',
    `docker: {execution: {subsystems: {${Array.from({ length: many / 2 }, (_, i) => `k${i}: []`).join(', ')}}}}`,
  ],
  ['one key, again and again', 'ssh: {}\n'.repeat(many)],
  ['aliases', `a: &a 1\nb: [${'*a,'.repeat(many)}]`],
  ['aliases of nothing', `b: [${'*a,'.repeat(many)}]`],
  [
    'aliases of aliases',
    Array.from({ length: 30 }, (_, i) => `a${i}: &a${i} [${Array(10).fill(i === 0 ? 'x' : `*a${i - 1}`)}]`).join('\n'),
  ],
  [
    'merge keys of merge keys',
    Array.from(
      { length: 20 },
      (_, i) => `m${i}: &m${i} {${i === 0 ? 'k: 1' : `<<: [*m${i - 1}, *m${i - 1}]`}, k${i}: 1}`,
    ).join('\n'),
  ],
  ['lists in lists', '['.repeat(many)],
  ['lists in lists that end', `${'['.repeat(many)}${']'.repeat(many)}`, 'json'],
  ['blocks in blocks', Array.from({ length: 2000 }, (_, i) => `${' '.repeat(i)}a:`).join('\n')],
  ['syntax errors', '"a" b\n'.repeat(many)],
  ['documents', '--- {x: 1}\n'.repeat(many)],
  ['anchors', Array.from({ length: many / 2 }, (_, i) => `&a${i} k${i}: 1`).join('\n')],
  ['a key without an end', `ssh: {${'k'.repeat(3_000_000)}: 1}`],
  ['a number without an end', `workers: ${'9'.repeat(1_000_000)}`],
  ['a time without an end', `shutdownTimeout: ${'1h'.repeat(1_000_000)}`],
  ['values', `ssh: [${'1,'.repeat(1_000_000)}]`],
]
for (const [what, source, suffix = 'yaml'] of hostile) {
  test(`${what} without an end are refused in a few short lines`, { timeout: 120_000 }, async () => {
    const lines = await errors(`c.${suffix}`, source)
    assert.ok(lines.length >= 1 && lines.length <= 101, String(lines.length))
    for (const line of lines) assert.ok(line.length < 1000, line.slice(0, 200))
  })
}

const refused = async (path: string): Promise<string> => {
  try {
    await loadConfig(path)
  } catch (error) {
    assert.ok(error instanceof ConfigErrors, String((error as Error).stack))
    return error.lines.join('\n')
  }
  return 'it was accepted'
}

test('a file of 10 MiB, and a device without an end, are refused for their size', async () => {
  const path = join(folder, 'large.yaml')
  writeFileSync(path, `# ${'x'.repeat(10 * 2 ** 20)}\nssh: {}\n`)
  assert.match(await refused(path), /large\.yaml: is larger than 4 MiB$/)
  assert.match(await refused('/dev/zero'), /\/dev\/zero: is larger than 4 MiB$/)
})

test('a key that is a device without an end is refused for its size', async () => {
  const path = join(folder, 'zero.yaml')
  writeFileSync(path, 'ssh: {hostkeys: [/dev/zero]}\nauth: {users: [{name: a, authorizedKeys: [/dev/zero]}]}\n')
  const lines = await refused(path)
  assert.match(lines, /ssh\.hostkeys\[0\]: the file "\/dev\/zero" is larger than 1 MiB/)
  assert.match(lines, /authorizedKeys\[0\]: the file "\/dev\/zero" is larger than 16 MiB/)
})
