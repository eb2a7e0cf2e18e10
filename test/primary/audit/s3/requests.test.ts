/** What is sent to services, by the options that change it. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { settingsOf } from '../../../../src/primary/audit/s3/settings.ts'
import { defaults } from '../../../../src/shared/config/schema.ts'
import type { S3Settings } from '../../../../src/shared/s3-call.ts'
import { createS3Caller } from '../../../../src/workers/pool/storage/s3-calls.ts'
import { type Request, startFaultProxy } from '../../../rigs/s3/fault-proxy.ts'
import { type Storage, startStorage } from '../../../rigs/s3/storage.ts'
import { createRig, newDirectory, type S3Options, s3Options } from '../../../rigs/s3/target.ts'

const partBytes = 5 * 2 ** 20

let storage: Storage
before(async () => {
  storage = await startStorage()
})
after(() => storage[Symbol.asyncDispose]())

/** The headers of the requests that one short and one long log make; the service accepts whatever they say. */
async function sent(s3: Partial<S3Options>): Promise<Readonly<Record<string, Request['headers']>>> {
  await using proxy = await startFaultProxy(storage)
  proxy.disorder = ({ op }) => (op === 'put' || op === 'create' ? { status: 403, name: 'AccessDenied' } : undefined)
  await using rig = createRig(storage, { s3: { endpoint: proxy.url, ...s3 } })
  await rig.target.start()
  rig.keep('short', Buffer.from('x'))
  rig.keep('long', randomBytes(partBytes + 1))
  await rig.line('AUDIT_S3_SINGLE_UPLOAD_FAILED')
  await rig.line('AUDIT_S3_MULTIPART_UPLOAD_INITIALIZATION_FAILED')
  return Object.fromEntries(proxy.requests.map(({ op = '', headers }) => [op, headers]))
}

test('ACL, storage class and encryption are sent with each object, and not at all unless they are set', async () => {
  const options = { acl: 'bucket-owner-full-control', storageClass: 'STANDARD_IA', kmsKeyId: 'a key' }
  const set = await sent({ ...options, serverSideEncryption: 'aws:kms' })
  const unset = await sent({})
  for (const op of ['put', 'create']) {
    const names = ['acl', 'storage-class', 'server-side-encryption', 'server-side-encryption-aws-kms-key-id']
    const of = (headers: Request['headers'] = {}) => names.map((name) => headers[`x-amz-${name}`])
    assert.deepEqual(of(set[op]), ['bucket-owner-full-control', 'STANDARD_IA', 'aws:kms', 'a key'])
    assert.deepEqual(of(unset[op]), [undefined, undefined, undefined, undefined])
  }
})

test('the signature covers each body, and services of others get no checksum besides', async () => {
  await using proxy = await startFaultProxy(storage)
  await using rig = createRig(storage, { s3: { endpoint: proxy.url } })
  await rig.target.start()
  rig.keep('signed', randomBytes(2 * partBytes))
  await rig.empty()
  const parts = proxy.requests.filter(({ op }) => op === 'part')
  assert.equal(parts.length, 2)
  for (const { headers } of parts) {
    assert.match(String(headers['x-amz-content-sha256']), /^[\da-f]{64}$/)
    assert.deepEqual(
      Object.keys(headers).filter((name) => name.includes('checksum') || name.includes('trailer')),
      [],
    )
  }
})

test('temporary keys come with their token', async () => {
  const { put } = await sent({ sessionToken: 'a token' })
  assert.equal(put?.['x-amz-security-token'], 'a token')
})

test('keys may come from the environment', async () => {
  const keys = { AWS_ACCESS_KEY_ID: storage.accessKey, AWS_SECRET_ACCESS_KEY: storage.secretKey }
  const before = { ...process.env }
  Object.assign(process.env, keys)
  try {
    await using rig = createRig(storage, { s3: { accessKey: '', secretKey: '', defaultCredentials: true } })
    await rig.target.start()
    rig.keep('environment', Buffer.from('x'))
    await rig.empty()
    assert.equal((await storage.get('environment'))?.body.toString(), 'x')
  } finally {
    for (const name of Object.keys(keys)) delete process.env[name]
    Object.assign(process.env, before)
  }
})

test('without an endpoint it is AWS, by the region, with checksums of each body and part', async () => {
  const aws = settingsOf({
    ...defaults().audit.s3,
    bucket: 'b',
    region: 'eu-central-1',
    accessKey: 'a',
    secretKey: 's',
  })
  assert.deepEqual([aws.checksums, aws.endpoint, aws.region], [true, '', 'eu-central-1'])
  // AWS is not here, but a service that knows its checksums is.
  const settings: S3Settings = { ...settingsOf(s3Options(storage)), checksums: true }
  const caller = createS3Caller()
  await using rig = createRig(storage, { wrap: () => (call, signal) => caller(settings, call, signal) })
  await rig.target.start()
  const bytes = randomBytes(2 * partBytes + 1)
  rig.keep('whole', Buffer.from('x'))
  rig.keep('inparts', bytes)
  await rig.empty()
  assert.ok(bytes.equals((await storage.get('inparts'))?.body ?? Buffer.alloc(0)))
  const target = { Bucket: storage.bucket, ChecksumMode: 'ENABLED' } as const
  assert.ok((await storage.client.headObject({ ...target, Key: 'whole' })).ChecksumCRC32)
  assert.ok((await storage.client.headObject({ ...target, Key: 'inparts' })).ChecksumCRC32)
})

test('with checksums a wrong one is refused, and parts of an earlier run keep theirs', async () => {
  const settings: S3Settings = { ...settingsOf(s3Options(storage)), checksums: true }
  const caller = createS3Caller()
  const { signal } = new AbortController()
  const file = join(newDirectory(), 'file')
  writeFileSync(file, randomBytes(partBytes + 1))
  const traits = { contentType: 'a/b', acl: '', storageClass: '', serverSideEncryption: '', kmsKeyId: '', metadata: {} }
  const key = 'resumed'
  const created = await caller(settings, { op: 'create', key, traits }, signal)
  assert.ok(created.ok)
  const uploadId = created.result
  const send = (partNumber: number, start: number, bytes: number) =>
    caller(settings, { op: 'part', key, uploadId, partNumber, file, start, bytes }, signal)
  const [first, second] = [await send(1, 0, partBytes), await send(2, partBytes, 1)]
  const listed = await caller(settings, { op: 'parts', key, uploadId }, signal)
  assert.ok(first.ok && second.ok && listed.ok)
  assert.deepEqual(listed.result, [first.result, second.result])
  const wrong = [first.result, { ...second.result, crc32: first.result.crc32 ?? '' }]
  const refused = await caller(settings, { op: 'complete', key, uploadId, parts: wrong }, signal)
  assert.equal(!refused.ok && refused.failure.status, 400)
  const done = await caller(settings, { op: 'complete', key, uploadId, parts: listed.result }, signal)
  assert.ok(done.ok)
})
