import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Metadatum } from '../../../../src/shared/webhook/data.ts'
import { memberEnvironment } from '../../../../src/workers/backends/guest/member-environment.ts'

const open = (value: string): Metadatum => ({ value, sensitive: false })
const secret = (value: string): Metadatum => ({ value, sensitive: true })
const member = (metadata: Record<string, Metadatum>, environment: Record<string, Metadatum> = {}) => ({
  username: 'u',
  authenticatedUsername: 'u',
  metadata: new Map(Object.entries(metadata)),
  environment: new Map(Object.entries(environment)),
  files: new Map(),
})
const metadata = { GROUP: open('staff'), TOKEN: secret('s3cret') }

test('metadata become variables by their own names, sensitive ones too', () => {
  const settings = { exposeAuthMetadataAsEnv: true, metadataAsEnv: {} }
  assert.deepEqual(memberEnvironment(settings, member(metadata)), ['GROUP=staff', 'TOKEN=s3cret'])
})

test('metadata become variables where they are named, under that name, and no others', () => {
  const settings = { exposeAuthMetadataAsEnv: false, metadataAsEnv: { TOKEN: 'API_TOKEN', absent: 'ABSENT' } }
  assert.deepEqual(memberEnvironment(settings, member(metadata)), ['API_TOKEN=s3cret'])
})

test('the environment of the login wins over both', () => {
  const settings = { exposeAuthMetadataAsEnv: true, metadataAsEnv: { TOKEN: 'B' } }
  const environment = { GROUP: open('mine'), B: open('mine') }
  assert.deepEqual(memberEnvironment(settings, member(metadata, environment)), ['GROUP=mine', 'TOKEN=s3cret', 'B=mine'])
})

test('names and values that no variable can have are left out', () => {
  const settings = { exposeAuthMetadataAsEnv: true, metadataAsEnv: { GROUP: 'a=b' } }
  const odd = { 'x=y': open('1'), '': open('2'), nul: open('a\0b'), GROUP: open('staff') }
  assert.deepEqual(memberEnvironment(settings, member(odd)), ['GROUP=staff'])
})
