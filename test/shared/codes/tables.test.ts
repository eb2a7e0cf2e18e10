import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import type { Table } from '../../../src/shared/codes/define.ts'
import { codes, isCode, rowOf, tables } from '../../../src/shared/codes/index.ts'
import { renderPage } from '../../../src/shared/codes/page.ts'
import { levels } from '../../../src/shared/log/level.ts'

const read = (path: string): string => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8')
const seed = read('test/golden/seed-codes.txt').trim().split('\n')
const all: readonly Table[] = tables

describe('the tables of codes', () => {
  it('have the 172 codes of the seed with exactly its spelling, and mark all others', () => {
    assert.equal(seed.length, 172)
    const marked = codes.filter((code) => rowOf(code).seed !== false)
    assert.deepEqual([...marked].sort(), [...seed].sort())
  })

  it('have each code once', () => {
    const rows = all.flatMap((table) => Object.keys(table.rows))
    assert.equal(new Set(rows).size, rows.length)
    assert.deepEqual(rows, codes)
  })

  it('have each code in the module that its prefix says', () => {
    for (const table of all) {
      for (const code of Object.keys(table.rows)) {
        assert.ok(
          table.prefixes.some((prefix) => code === prefix || code.startsWith(`${prefix}_`)),
          code,
        )
      }
    }
    const prefixes = all.flatMap((table) => table.prefixes)
    assert.equal(new Set(prefixes).size, prefixes.length)
  })

  it('say and explain something about each code', () => {
    for (const code of codes) {
      const row = rowOf(code)
      assert.ok(row.level in levels, code)
      assert.match(row.says, /[.}]$/, code)
      assert.match(row.doc, /^[A-Z`].*\.$/, code)
      assert.ok(row.doc.length > 30, code)
      assert.ok(!/[\n\t]/.test(row.says + row.doc + (row.user ?? '')), code)
    }
  })

  it('know which names are codes', () => {
    assert.ok(isCode('SSH_EXIT'))
    for (const name of ['SSH_EXITED', 'toString', '__proto__', '']) assert.ok(!isCode(name))
  })
})

describe('docs/codes.md', () => {
  it('is what `npm run docs` writes', () => {
    assert.ok(read('docs/codes.md') === renderPage(), 'stale: run `npm run docs`')
  })

  it('documents every code in a row of five cells', () => {
    const rows = renderPage()
      .split('\n')
      .filter((line) => line.startsWith('| `'))
    const named = rows.map((row) => /^\| `(\w+)`/.exec(row)?.[1])
    assert.deepEqual(named, codes)
    for (const row of rows) assert.equal(row.split(/(?<!\\)\|/).length, 7, row)
  })
})
