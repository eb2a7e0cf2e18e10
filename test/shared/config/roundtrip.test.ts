import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Ajv2020 } from 'ajv/dist/2020.js'
import fc from 'fast-check'
import { parse, stringify } from 'yaml'
import { dumpConfig } from '../../../src/shared/config/dump.ts'
import { parseConfig } from '../../../src/shared/config/load.ts'
import { anyFile } from './arbitrary.ts'

const parsed = async (file: string, source: string) => (await parseConfig(file, source, { onlyParse: true })).config

test('whatever a file says, its dump says the same', async () => {
  await fc.assert(
    fc.asyncProperty(anyFile, async (value) => {
      const config = await parsed('c.yaml', stringify(value))
      assert.deepEqual(await parsed('c.yaml', dumpConfig(config, { showSecrets: true })), config)
    }),
    { numRuns: 100 },
  )
})

test('a file means the same in JSON', async () => {
  await fc.assert(
    fc.asyncProperty(anyFile, async (value) => {
      assert.deepEqual(await parsed('c.json', JSON.stringify(value)), await parsed('c.yaml', stringify(value)))
    }),
    { numRuns: 100 },
  )
})

test('the JSON Schema takes what a dump holds', async () => {
  const ajv = new Ajv2020({ strict: true, allowUnionTypes: true })
  const path = join(import.meta.dirname, '../../../docs/config.schema.json')
  const validate = ajv.compile(JSON.parse(readFileSync(path, 'utf8')))
  await fc.assert(
    fc.asyncProperty(anyFile, async (value) => {
      const dump = parse(dumpConfig(await parsed('c.yaml', stringify(value)), { showSecrets: true }))
      assert.ok(validate(dump), JSON.stringify(validate.errors))
    }),
    { numRuns: 100 },
  )
})
