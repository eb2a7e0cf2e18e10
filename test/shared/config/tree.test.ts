import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import * as yaml from 'yaml'
import { jsonTree } from '../../../src/shared/config/json-tree.ts'
import { type Node, plainValue, TreeError } from '../../../src/shared/config/tree.ts'
import { yamlText } from '../../../src/shared/config/yaml-text.ts'
import { yamlTree } from '../../../src/shared/config/yaml-tree.ts'

const treeValue = (node: Node | undefined): unknown => (node === undefined ? undefined : plainValue(node))

test('a JSON tree holds what JSON.parse gives', () => {
  fc.assert(
    fc.property(fc.jsonValue({ depthSize: 'medium' }), fc.constantFrom('', ' ', '\t', '\r\n'), (value, indent) => {
      const source = JSON.stringify(value, undefined, indent)
      assert.deepEqual(treeValue(jsonTree(source)), JSON.parse(source))
    }),
  )
})

test('a JSON tree refuses exactly the texts that JSON.parse refuses', () => {
  const fragment = fc.constantFrom(
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '"a"',
    '1',
    '-',
    '01',
    '1e5',
    'true',
    'nul',
    ' ',
    '"\\u00e"',
    '"\t"',
    '"',
  )
  const texts = fc.oneof(
    fc.string(),
    fc.array(fragment).map((parts) => parts.join('')),
  )
  fc.assert(
    fc.property(texts, (source) => {
      const read = (parse: () => unknown): unknown[] => {
        try {
          return [parse()]
        } catch {
          return []
        }
      }
      const theirs = read(() => JSON.parse(source))
      // Only an empty text differs: here it is undefined, there an error.
      fc.pre(source.trim() !== '')
      assert.deepEqual(
        read(() => treeValue(jsonTree(source))),
        theirs,
      )
    }),
    { numRuns: 1000 },
  )
})

test('a YAML tree holds what the YAML library gives', () => {
  const plain = fc.jsonValue({ depthSize: 'medium' }).map((value) => JSON.parse(JSON.stringify(value)))
  fc.assert(
    fc.property(plain, (value) => {
      const source = yamlText(value)
      assert.deepEqual(treeValue(yamlTree(source)), yaml.parse(source))
    }),
  )
})

test('nodes know where they stand', () => {
  const source = 'ssh:\n  listen: ":1"\n'
  const root = yamlTree(source)
  assert.ok(root?.kind === 'map')
  const ssh = root.entries[0]?.value
  assert.ok(ssh?.kind === 'map')
  assert.equal(ssh.entries[0]?.at, source.indexOf('listen'))
  assert.equal(ssh.entries[0]?.value.at, source.indexOf('":1"'))
})

test('aliases and merge keys are followed, and own keys win', () => {
  const source = 'a: &x {p: 1, q: 2}\nb: {<<: *x, q: 3}\nc: *x\nd:\n  <<: [{r: 1}, {r: 2, s: 3}]\n'
  assert.deepEqual(treeValue(yamlTree(source)), {
    a: { p: 1, q: 2 },
    b: { p: 1, q: 3 },
    c: { p: 1, q: 2 },
    d: { r: 1, s: 3 },
  })
})

test('only the first document of a YAML file counts', () => {
  assert.deepEqual(treeValue(yamlTree('a: 1\n---\nb: [not yaml\n')), { a: 1 })
})

test('an empty file is no tree', () => {
  for (const source of ['', '\n', '# only a comment\n']) assert.equal(yamlTree(source), undefined)
  assert.equal(jsonTree(' \n'), undefined)
})

test('files that would take all memory or all of the stack are refused', () => {
  const laughs = Array.from({ length: 12 }, (_, i) => `a${i}: &a${i} [${Array(10).fill(i === 0 ? 'x' : `*a${i - 1}`)}]`)
  assert.throws(() => yamlTree(laughs.join('\n')), TreeError)
  assert.throws(() => yamlTree('a: &a [*a]'), TreeError)
  assert.throws(() => jsonTree('['.repeat(100_000)), TreeError)
})
