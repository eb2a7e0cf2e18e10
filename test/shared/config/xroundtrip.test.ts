import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Ajv2020 } from 'ajv/dist/2020.js'
import fc from 'fast-check'
import { parse } from 'yaml'
import { dumpConfig } from '../../../src/shared/config/dump.ts'
import { parseConfig } from '../../../src/shared/config/load.ts'
import { yamlText } from '../../../src/shared/config/yaml-text.ts'
import { anyFile } from './arbitrary.ts'

const parsed = async (file: string, source: string) => (await parseConfig(file, source, { onlyParse: true })).config

test('whatever a file says, its dump says the same', async () => {
  await fc.assert(
    fc.asyncProperty(anyFile, async (value) => {
      const config = await parsed('c.yaml', yamlText(value))
      assert.deepEqual(await parsed('c.yaml', dumpConfig(config, { showSecrets: true })), config)
    }),
    { numRuns: 15000 },
  )
})

test('keys that mean something in YAML are keys of their own in a dump', async () => {
  for (const key of ['<<', '=', '?', '~', 'null', '-']) {
    const value = JSON.parse(`{"docker":{"execution":{"metadataAsEnv":{${JSON.stringify(key)}:"x"}}}}`)
    const config = await parsed('c.json', JSON.stringify(value))
    assert.deepEqual(Object.keys(config.docker.execution.metadataAsEnv), [key])
    assert.deepEqual(await parsed('c.yaml', dumpConfig(config, { showSecrets: true })), config)
  }
})

test('a file means the same in JSON', async () => {
  await fc.assert(
    fc.asyncProperty(anyFile, async (value) => {
      assert.deepEqual(await parsed('c.json', JSON.stringify(value)), await parsed('c.yaml', yamlText(value)))
    }),
    { numRuns: 15000 },
  )
})

test('the JSON Schema takes what a dump holds', async () => {
  const ajv = new Ajv2020({ strict: true, allowUnionTypes: true })
  const path = join(import.meta.dirname, '../../../docs/config.schema.json')
  const validate = ajv.compile(JSON.parse(readFileSync(path, 'utf8')))
  await fc.assert(
    fc.asyncProperty(anyFile, async (value) => {
      const dump = parse(dumpConfig(await parsed('c.yaml', yamlText(value)), { showSecrets: true }))
      assert.ok(validate(dump), JSON.stringify(validate.errors))
    }),
    { numRuns: 15000 },
  )
})
