import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { test } from 'node:test'
import { openApi, renderOpenApi } from '../../../src/shared/webhook/openapi.ts'

test('docs/webhooks.openapi.yaml is what the readers accept', () => {
  const path = resolve(import.meta.dirname, '../../../docs/webhooks.openapi.yaml')
  assert.ok(readFileSync(path, 'utf8') === renderOpenApi(), 'stale: run `npm run docs`')
})

test('a server that has some of the webhooks documents those', () => {
  const { paths } = openApi(['password', 'configuration']) as { readonly paths: object }
  assert.deepEqual(Object.keys(paths), ['/password', '/config', '/openapi.json'])
})
