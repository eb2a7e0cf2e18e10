/** docs/failures.md: what it names exists, and the levels it gives are those of the table. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { test } from 'node:test'
import { parse } from 'yaml'
import { isCode, rowOf } from '../src/shared/codes/index.ts'
import { counters } from '../src/shared/metric/counters.ts'
import { gauges } from '../src/shared/metric/gauges.ts'
import { histograms } from '../src/shared/metric/histograms.ts'

const docs = resolve(import.meta.dirname, '../docs')
const page = readFileSync(resolve(docs, 'failures.md'), 'utf8')

test('codes on the page are codes, with the level that stands beside them', () => {
  const named = [...page.matchAll(/`([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)`(?: \((\w+)\))?/g)]
  assert.ok(named.length > 50)
  for (const [, code = '', level] of named) {
    assert.ok(isCode(code), code)
    if (level !== undefined) assert.equal(rowOf(code).level, level, code)
  }
})

test('metrics and alerts on the page exist', () => {
  const known = new Set([...Object.keys(counters), ...Object.keys(gauges), ...Object.keys(histograms)])
  const metrics = [...page.matchAll(/`(containerssh_[a-z0-9_]+)`/g)].map(([, name = '']) => name)
  assert.ok(metrics.length > 20)
  for (const name of metrics) assert.ok(known.has(name), name)
  const rules = parse(readFileSync(resolve(docs, 'monitoring/alerts.yaml'), 'utf8')) as {
    groups: { rules: { alert: string }[] }[]
  }
  const alerts = new Set(rules.groups.flatMap((group) => group.rules.map(({ alert }) => alert)))
  for (const [, name = ''] of page.matchAll(/`(ContainerSSH[A-Z]\w*)`/g)) assert.ok(alerts.has(name), name)
})

test('what users read is what the table says', () => {
  const texts = [...page.matchAll(/`((?:The|This|Your|Cannot) [^`]+)`/g)].map(([, text = '']) => text)
  assert.ok(texts.length > 8)
  const codes = [...page.matchAll(/`([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)`/g)].map(([, code = '']) => code).filter(isCode)
  const known = codes.flatMap((code) => rowOf(code).user ?? [])
  for (const text of texts)
    assert.ok(
      known.some((user) => user.startsWith(text)),
      text,
    )
})
