/** What an earlier run left in the queue directory is uploaded by the next one, in the background. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { after, before, test } from 'node:test'
import { record, until } from '../../../rigs/daemon.ts'
import { startFaultProxy } from '../../../rigs/s3/fault-proxy.ts'
import { type Storage, startStorage } from '../../../rigs/s3/storage.ts'
import { createRig, facts, logsIn, newDirectory } from '../../../rigs/s3/target.ts'

const partBytes = 5 * 2 ** 20
const uploader = resolve(import.meta.dirname, '../../../rigs/s3/uploader.ts')
const both = { metadata: { ip: true, username: true } }

let storage: Storage
before(async () => {
  storage = await startStorage()
})
after(() => storage[Symbol.asyncDispose]())

const leave = (directory: string, log: string, bytes: string | Uint8Array, metadata?: string): void => {
  writeFileSync(join(directory, log), bytes)
  if (metadata !== undefined) writeFileSync(join(directory, `${log}.metadata.json`), metadata)
}
/** As the Go program writes it. */
const ofGo =
  '{"startTime":1795345356,"remoteAddr":"127.0.0.1","authenticated":true,"username":"specaudit","country":"XX"}'

test('a queue of ContainerSSH in Go is taken over', async () => {
  const directory = newDirectory()
  leave(directory, 'fromgo', 'a log', ofGo)
  leave(directory, 'empty', '', ofGo)
  await using rig = createRig(storage, { directory, s3: both })
  await rig.target.start()
  await rig.empty()
  assert.equal((await storage.get('fromgo'))?.body.toString(), 'a log')
  assert.deepEqual((await storage.get('fromgo'))?.metadata, {
    timestamp: '1795345356',
    authenticated: 'true',
    country: 'XX',
    ip: '127.0.0.1',
    username: 'specaudit',
  })
  assert.equal(await storage.get('empty'), undefined)
  assert.equal(
    rig.count('AUDIT_S3_RECOVERING', ({ labels }) => labels['log'] === 'fromgo'),
    1,
  )
})

test('a queue of ours has what ContainerSSH in Go reads: names, keys and their order', async () => {
  const hold = Promise.withResolvers<void>()
  await using proxy = await startFaultProxy(storage)
  proxy.disorder = ({ op }) => (op === 'put' ? { until: hold.promise } : undefined)
  await using rig = createRig(storage, { s3: { endpoint: proxy.url } })
  await rig.target.start()
  rig.keep('forgo', Buffer.from('a log'))
  await until('metadata', () => logsIn(rig.directory).includes('forgo.metadata.json'))
  const text = readFileSync(join(rig.directory, 'forgo.metadata.json'), 'utf8')
  const expected = {
    startTime: facts.startTime,
    remoteAddr: facts.remoteAddr,
    authenticated: true,
    username: 'alice',
    country: 'XX',
  }
  assert.ok(text.startsWith(JSON.stringify(expected).slice(0, -1)), text)
  assert.ok(!text.includes('\n'))
  hold.resolve()
  await rig.empty()
})

test('logs whose metadata is missing, damaged or no file are uploaded without it', async () => {
  const directory = newDirectory()
  leave(directory, 'missing', '1')
  leave(directory, 'damaged', '2', '{bad')
  leave(directory, 'strange', '3', '{"startTime":"yesterday"}')
  leave(directory, 'list', '4', '[]')
  await using rig = createRig(storage, { directory, s3: both })
  await rig.target.start()
  await rig.empty()
  for (const log of ['missing', 'damaged', 'strange', 'list']) {
    const failed = await rig.line('AUDIT_S3_FAILED_READING_METADATA_FILE', ({ labels }) => labels['log'] === log)
    assert.equal(failed.level, 'error')
    const { timestamp, authenticated } = (await storage.get(log))?.metadata ?? {}
    assert.deepEqual([timestamp, authenticated], ['0', 'false'])
  }
  mkdirSync(join(directory, 'folder.metadata.json'))
  leave(directory, 'folder', '5')
  await rig.target.stop(AbortSignal.timeout(10_000))
  await using next = createRig(storage, { directory })
  await next.target.start()
  await next.line('AUDIT_S3_FAILED_READING_METADATA_FILE', ({ labels }) => labels['log'] === 'folder')
  await next.line('AUDIT_S3_REMOVE_FAILED', ({ labels, level }) => labels['log'] === 'folder' && level === 'warning')
  assert.equal((await storage.get('folder'))?.body.toString(), '5')
})

test('metadata without a log is told of and removed; files of others are left alone', async () => {
  const directory = newDirectory()
  writeFileSync(join(directory, 'bbbb.metadata.json'), ofGo)
  writeFileSync(join(directory, 'cccc.metadata.json.tmp'), '{')
  writeFileSync(join(directory, 'notes.txt'), 'mine')
  mkdirSync(join(directory, 'folder'))
  await using rig = createRig(storage, { directory })
  await rig.target.start()
  await rig.line('AUDIT_S3_NO_SUCH_QUEUE_ENTRY', ({ labels }) => labels['log'] === 'bbbb')
  assert.deepEqual(logsIn(directory).sort(), ['folder', 'notes.txt'])
})

test('uploads that an earlier run left open are taken back', async () => {
  const directory = newDirectory()
  leave(directory, 'stale', 'a log', ofGo)
  const target = { Bucket: storage.bucket, Key: 'stale' }
  for (let index = 0; index < 2; index++) await storage.client.createMultipartUpload(target)
  await storage.client.createMultipartUpload({ ...target, Key: 'stale-but-another' })
  await using rig = createRig(storage, { directory })
  await rig.target.start()
  await rig.empty()
  assert.equal(
    rig.count('AUDIT_S3_MULTIPART_ABORTING', ({ level }) => level === 'debug'),
    2,
  )
  const left = await storage.uploads()
  assert.equal(left.length, 1)
  await storage.client.abortMultipartUpload({ ...target, Key: 'stale-but-another', UploadId: left[0] })
})

test('a process that was killed after some parts leaves the others to the next one, which sends no part twice', async () => {
  const directory = newDirectory()
  const bytes = randomBytes(4 * partBytes + 5)
  await using proxy = await startFaultProxy(storage)
  proxy.disorder = ({ op, partNumber = 0 }) => (op === 'part' && partNumber > 2 ? 'stall' : undefined)
  const { accessKey: ACCESS_KEY, secretKey: SECRET_KEY, bucket: BUCKET } = storage
  const child = spawn(process.execPath, [uploader, directory, proxy.url], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, ACCESS_KEY, SECRET_KEY, BUCKET },
  })
  let said = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  child.stdin.end(bytes)
  await until('two parts', () => said.split('AUDIT_S3_MULTIPART_PART_UPLOAD_COMPLETE').length === 3, 60_000)
  await until('the others on their way', () => proxy.count('part') === 5)
  child.kill('SIGKILL')
  await once(child, 'exit')
  for (const line of said.split('\n')) record(line)
  proxy.disorder = () => undefined
  await using rig = createRig(storage, { directory, s3: { endpoint: proxy.url } })
  await rig.target.start()
  await rig.empty()
  assert.ok(bytes.equals((await storage.get('interrupted'))?.body ?? Buffer.alloc(0)))
  const sent = proxy.requests
    .slice(proxy.requests.findIndex(({ op }) => op === 'uploads'))
    .filter(({ op }) => op === 'part')
  assert.deepEqual(sent.map(({ partNumber }) => partNumber).sort(), [3, 4, 5])
  assert.equal(rig.count('AUDIT_S3_MULTIPART_UPLOAD'), 0)
  assert.deepEqual(await storage.uploads(), [])
})

test('an upload that was remembered but is unknown by now is begun anew', async () => {
  const directory = newDirectory()
  const bytes = randomBytes(partBytes + 1)
  leave(directory, 'unknown', bytes, JSON.stringify({ ...JSON.parse(ofGo), uploadId: 'gone', partSize: partBytes }))
  await using rig = createRig(storage, { directory })
  await rig.target.start()
  await rig.empty()
  assert.ok(bytes.equals((await storage.get('unknown'))?.body ?? Buffer.alloc(0)))
})

test('a service that is down does not keep the server from starting, nor logs from being uploaded later', async () => {
  const directory = newDirectory()
  leave(directory, 'waiting', 'a log', ofGo)
  await using proxy = await startFaultProxy(storage)
  proxy.disorder = () => 'reset'
  await using rig = createRig(storage, { directory, s3: { endpoint: proxy.url } })
  await rig.target.start()
  const failed = await rig.line('AUDIT_S3_MULTIPART_FAILED_LIST')
  assert.deepEqual([failed.level, failed.labels['bucket']], ['warning', storage.bucket])
  assert.deepEqual(rig.target.queue(), { logs: 1, bytes: 5 })
  proxy.disorder = () => undefined
  await rig.empty()
  assert.equal((await storage.get('waiting'))?.body.toString(), 'a log')
})

test('who may not list uploads, or asks a service that cannot, uploads all the same', async () => {
  for (const [status, log] of [
    [403, 'forbidden'],
    [501, 'unable'],
  ] as const) {
    const directory = newDirectory()
    leave(directory, log, 'a log', ofGo)
    await using proxy = await startFaultProxy(storage)
    proxy.disorder = ({ op }) => (op === 'uploads' ? { status, name: 'AccessDenied' } : undefined)
    await using rig = createRig(storage, { directory, s3: { endpoint: proxy.url } })
    await rig.target.start()
    await rig.empty()
    await rig.line('AUDIT_S3_MULTIPART_FAILED_LIST', ({ labels }) => labels['status'] === status)
    assert.equal((await storage.get(log))?.body.toString(), 'a log')
  }
})

test('of many logs only so many are worked on at a time, and all are uploaded', async () => {
  const directory = newDirectory()
  for (let index = 0; index < 30; index++) leave(directory, `many${index}`, `log ${index}`, ofGo)
  await using rig = createRig(storage, { directory, mostActive: 2, s3: { parallelUploads: 8, ...both } })
  await rig.target.start()
  for (let index = 30; index < 60; index++) rig.keep(`many${index}`, Buffer.from(`log ${index}`))
  assert.equal(rig.target.queue().logs, 60)
  await rig.empty()
  assert.deepEqual(rig.target.queue(), { logs: 0, bytes: 0 })
  for (const index of [0, 29, 30, 59]) {
    const object = await storage.get(`many${index}`)
    assert.equal(object?.body.toString(), `log ${index}`)
    assert.equal(object?.metadata['username'], index < 30 ? 'specaudit' : 'alice')
  }
})
