/** `audit.s3`: its rules hold where logs go there, and nowhere else. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { stringify } from 'yaml'
import { readClientFiles } from '../../../src/shared/config/client-files.ts'
import { ConfigErrors, parseConfig } from '../../../src/shared/config/load.ts'
import { defaults } from '../../../src/shared/config/schema.ts'
import { createAuthority } from '../../rigs/certificates.ts'

const authority = createAuthority()
const folder = mkdtempSync(join(tmpdir(), 'containerssh-s3-config-'))
after(() => {
  authority[Symbol.dispose]()
  rmSync(folder, { recursive: true })
})

/** What is wrong below `audit.s3`, without the place in the file. */
async function errorsOf(s3: Readonly<Record<string, unknown>>, audit: Readonly<Record<string, unknown>> = {}) {
  const source = stringify({ audit: { enable: true, format: 'binary', storage: 's3', ...audit, s3 } })
  try {
    await parseConfig('c.yaml', source)
    return []
  } catch (error) {
    if (!(error instanceof ConfigErrors)) throw error
    return error.lines.map((line) => line.replace(/^c\.yaml:[\d:]+ /, '')).filter((line) => line.startsWith('audit.s3'))
  }
}
const good = { accessKey: 'a', secretKey: 'b', bucket: 'c', region: 'eu-central-1' }

test('keys, bucket and the region of AWS are required', async () => {
  assert.deepEqual(await errorsOf({}), [
    'audit.s3.accessKey: is missing; expected it, or defaultCredentials: true',
    'audit.s3.secretKey: is missing; expected it, or defaultCredentials: true',
    'audit.s3.bucket: is missing; expected the name of a bucket',
    'audit.s3.region: is missing; expected e.g. "eu-central-1", or an endpoint',
  ])
  assert.deepEqual(await errorsOf(good), [])
  assert.deepEqual(await errorsOf({ ...good, region: '', endpoint: 'https://s3.example.com' }), [])
  assert.deepEqual(await errorsOf({ bucket: 'c', region: 'x', defaultCredentials: true }), [])
})

test('nothing is required while logs go elsewhere, or nowhere', async () => {
  assert.deepEqual(await errorsOf({}, { storage: 'file' }), [])
  assert.deepEqual(await errorsOf({}, { enable: false }), [])
  assert.equal((await errorsOf({}, { storage: 'file', moreStorages: ['s3'] })).length, 4)
})

test('each wrong value is named with what was expected', async () => {
  const wrong = {
    ...good,
    secretKey: 'not to be shown',
    endpoint: 's3.example.com',
    keyPrefix: '/logs',
    kmsKeyId: 'k',
    uploadPartSize: 1000,
    parallelUploads: -1,
    serverSideEncryption: 'rot13',
    defaultCredentials: true,
  }
  const lines = await errorsOf(wrong)
  assert.deepEqual(lines.map((line) => line.split(':')[0]?.replace('audit.s3.', '')).sort(), [
    'accessKey',
    'endpoint',
    'keyPrefix',
    'kmsKeyId',
    'parallelUploads',
    'secretKey',
    'serverSideEncryption',
    'uploadPartSize',
  ])
  assert.ok(!lines.join().includes('not to be shown'))
})

test('the authority of the service is a text or the name of a file, and has to be a certificate', async () => {
  const file = join(folder, 'ca.pem')
  writeFileSync(file, authority.ca.cert)
  const config = defaults()
  const read = async (cacert: string) => {
    const findings: { path: readonly (string | number)[]; message: string }[] = []
    const audit = { ...config.audit, enable: true, storage: 's3' as const, s3: { ...config.audit.s3, cacert } }
    const { audit: done } = await readClientFiles({ ...config, audit }, findings)
    return { text: done.s3.cacert, findings: findings.map(({ path, message }) => `${path.join('.')} ${message}`) }
  }
  assert.deepEqual(await read(authority.ca.cert), { text: authority.ca.cert, findings: [] })
  assert.deepEqual(await read(file), { text: authority.ca.cert, findings: [] })
  const bad = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'
  assert.deepEqual((await read(bad)).findings, ['audit.s3.cacert the text holds no certificate in PEM form'])
  assert.match(
    (await read('/nonexistent')).findings.join(),
    /audit\.s3\.cacert the file "\/nonexistent" cannot be read/,
  )
})
