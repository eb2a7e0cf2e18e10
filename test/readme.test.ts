import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { test } from 'node:test'

const root = resolve(import.meta.dirname, '..')
const readme = readFileSync(join(root, 'README.md'), 'utf8')

test('every file that the README names exists', () => {
  const rows = readme.split('\n').filter((line) => /^\| \d+ \|/.test(line))
  assert.ok(rows.length >= 9)
  for (const row of rows) {
    let folder = ''
    for (const [, name] of (row.split('|')[2] ?? '').matchAll(/`([^`]+)`/g)) {
      assert.ok(name !== undefined)
      const path = name.includes('/') ? name : join(folder, name)
      folder = dirname(path)
      assert.ok(existsSync(join(root, path)), `${path} is in the README's walk`)
    }
  }
  for (const [, path] of readme.matchAll(/\]\(([^)#:]+)\)/g))
    assert.ok(existsSync(join(root, path ?? '')), `${path} is linked`)
})

test('CI calls exactly the test command of the README', () => {
  const command = /^(npm ci && npm test)\b/m.exec(readme)?.[1]
  assert.ok(command !== undefined)
  const script = readFileSync(join(root, '.ci/run'), 'utf8')
  assert.ok(script.split('\n').includes(command))
})
