/** Logs reach a real object storage as they are, with what belongs to them. */
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { createAuthority } from '../../../rigs/certificates.ts'
import { until } from '../../../rigs/daemon.ts'
import { type Storage, startStorage } from '../../../rigs/s3/storage.ts'
import { createRig, facts, logsIn } from '../../../rigs/s3/target.ts'

const partBytes = 5 * 2 ** 20
const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

let storage: Storage
before(async () => {
  storage = await startStorage()
})
after(() => storage[Symbol.asyncDispose]())

test('a short log becomes one object with the name, the type and the metadata that ContainerSSH gives it', async () => {
  await using rig = createRig(storage, { s3: { metadata: { ip: true, username: true } } })
  await rig.target.start()
  rig.keep('aaaa', Buffer.from('a short log'))
  await rig.empty()
  const object = await storage.get('aaaa')
  assert.equal(object?.body.toString(), 'a short log')
  assert.equal(object?.contentType, 'application/octet-stream')
  const { startTime, remoteAddr, username, country } = facts
  const expected = { timestamp: `${startTime}`, authenticated: 'true', country, ip: remoteAddr, username }
  assert.deepEqual(object?.metadata, expected)
  await rig.line('AUDIT_S3_SINGLE_UPLOAD', ({ labels }) => labels['log'] === 'aaaa' && labels['module'] === 'audit')
  await rig.line('AUDIT_S3_SINGLE_UPLOAD_COMPLETE', ({ labels }) => labels['bucket'] === storage.bucket)
})

test('address and name of a user are sent only if that is asked for, and the name only if it was proved', async () => {
  await using rig = createRig(storage)
  await rig.target.start()
  rig.keep('bbbb', Buffer.from('x'))
  await using open = createRig(storage, { s3: { metadata: { ip: false, username: true } } })
  await open.target.start()
  open.keep('cccc', Buffer.from('x'), { authenticated: false })
  await rig.empty()
  await open.empty()
  const metadata = { timestamp: `${facts.startTime}`, authenticated: 'true', country: 'XX' }
  assert.deepEqual((await storage.get('bbbb'))?.metadata, metadata)
  assert.deepEqual((await storage.get('cccc'))?.metadata, { ...metadata, authenticated: 'false' })
})

test('a name with control characters, other alphabets and percent signs is encoded, and cut where S3 ends', async () => {
  await using rig = createRig(storage, { s3: { metadata: { ip: false, username: true } } })
  await rig.target.start()
  const names: Readonly<Record<string, string>> = {
    n1: 'ro\not',
    n2: 'ünï  \u{1f600}',
    n3: '100%',
    n4: ' padded ',
    n5: '\u0000\u007f'.repeat(2000),
    n6: '\ud800',
  }
  for (const [log, username] of Object.entries(names)) rig.keep(log, Buffer.from('x'), { username })
  await rig.empty()
  const sent = async (log: string) => (await storage.get(log))?.metadata['username']
  assert.equal(await sent('n1'), 'ro%0Aot')
  assert.equal(await sent('n2'), '%C3%BCn%C3%AF %20%F0%9F%98%80')
  assert.equal(await sent('n3'), '100%25')
  assert.equal(await sent('n4'), '%20padded%20')
  assert.equal(await sent('n5'), `${'%00%7F'.repeat(170)}%00`)
  assert.equal(await sent('n6'), '%EF%BF%BD')
})

test('asciicasts have their own type, and a prefix stands before every name', async () => {
  await using rig = createRig(storage, { format: 'asciinema', s3: { keyPrefix: 'logs/of here/' } })
  await rig.target.start()
  rig.keep('dddd', Buffer.from('{"version":2}\n'))
  await rig.empty()
  assert.equal((await storage.get('logs/of here/dddd'))?.contentType, 'application/x-asciicast')
})

test('an empty log is no object', async () => {
  await using rig = createRig(storage)
  await rig.target.start()
  rig.keep('eeee', Buffer.alloc(0))
  await rig.empty()
  assert.equal(await storage.get('eeee'), undefined)
})

test('a log goes up in parts while it grows, and is one object when it is complete', async () => {
  await using rig = createRig(storage)
  await rig.target.start()
  const bytes = randomBytes(4 * partBytes + 12_345)
  const path = join(rig.directory, 'ffff')
  writeFileSync(path, '')
  rig.target.opened('ffff', { ...facts, authenticated: false, username: '' })
  rig.target.described('ffff', facts)
  for (let at = 0; at < bytes.length; at += partBytes / 2) {
    rig.append('ffff', bytes.subarray(at, at + partBytes / 2))
    rig.target.grown('ffff', Math.min(at + partBytes / 2, bytes.length))
  }
  await until('four parts', () => rig.count('AUDIT_S3_MULTIPART_PART_UPLOAD_COMPLETE') === 4)
  assert.equal(await storage.get('ffff'), undefined)
  assert.ok(existsSync(path))
  rig.target.closed('ffff', bytes.length)
  await rig.empty()
  const object = await storage.get('ffff')
  assert.equal(digest(object?.body ?? Buffer.alloc(0)), digest(bytes))
  assert.match(object?.etag ?? '', /-5"$/)
  assert.equal(object?.metadata['authenticated'], 'true')
  assert.deepEqual(await storage.uploads(), [])
  assert.deepEqual(logsIn(rig.directory), [])
  const numbers = rig.records.filter(({ code }) => code === 'AUDIT_S3_MULTIPART_PART_UPLOADING')
  assert.deepEqual(numbers.map(({ labels }) => labels['partNumber']).sort(), [1, 2, 3, 4, 5])
  for (const code of [
    'AUDIT_S3_MULTIPART_UPLOAD',
    'AUDIT_S3_MULTIPART_UPLOAD_FINALIZING',
    'AUDIT_S3_MULTIPART_UPLOAD_FINALIZED',
  ]) {
    assert.equal(
      rig.count(code, ({ labels }) => labels['log'] === 'ffff'),
      1,
      code,
    )
  }
})

test('many logs and the parts of a large one share the requests that are allowed at a time', async () => {
  let [now, most] = [0, 0]
  await using rig = createRig(storage, {
    s3: { parallelUploads: 3 },
    wrap: (ask) => async (call, signal) => {
      most = Math.max(most, ++now)
      try {
        return await ask(call, signal)
      } finally {
        now--
      }
    },
  })
  await rig.target.start()
  const large = randomBytes(6 * partBytes)
  rig.keep('large', large)
  for (let index = 0; index < 20; index++) rig.keep(`small${index}`, Buffer.from(`log ${index}`))
  await rig.empty()
  assert.equal(most, 3)
  assert.equal(digest((await storage.get('large'))?.body ?? Buffer.alloc(0)), digest(large))
  assert.equal((await storage.get('small19'))?.body.toString(), 'log 19')
})

test('over TLS with an authority of its own, given as a text', async () => {
  using authority = createAuthority()
  const { certFile, keyFile } = authority.issue('s3', 'IP:127.0.0.1')
  await using secure = await startStorage({ tls: { certFile, keyFile, ca: authority.ca.cert } })
  await using rig = createRig(secure, { s3: { cacert: authority.ca.cert } })
  await rig.target.start()
  const bytes = randomBytes(2 * partBytes + 1)
  rig.keep('small', Buffer.from('a small one'))
  rig.keep('large', bytes)
  await rig.empty()
  assert.equal((await secure.get('small'))?.body.toString(), 'a small one')
  assert.equal(digest((await secure.get('large'))?.body ?? Buffer.alloc(0)), digest(bytes))
  await using stranger = createRig(secure)
  await stranger.target.start()
  stranger.keep('other', Buffer.from('x'))
  const failed = await stranger.line('AUDIT_S3_SINGLE_UPLOAD_FAILED')
  assert.match(String(failed.labels['error']), /self-signed certificate|UNABLE_TO|unable to/i)
})
