/** The end of the server: what can be finished is, nothing waits for what cannot, and nothing is lost. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { until } from '../../../rigs/daemon.ts'
import { startFaultProxy } from '../../../rigs/s3/fault-proxy.ts'
import { type Storage, startStorage } from '../../../rigs/s3/storage.ts'
import { createRig, facts, logsIn } from '../../../rigs/s3/target.ts'

const partBytes = 5 * 2 ** 20

let storage: Storage
before(async () => {
  storage = await startStorage()
})
after(() => storage[Symbol.asyncDispose]())

test('what is on its way is finished first', async () => {
  await using rig = createRig(storage)
  await rig.target.start()
  const bytes = randomBytes(3 * partBytes)
  rig.keep('ontheway', bytes)
  await rig.target.stop(new AbortController().signal)
  assert.ok(bytes.equals((await storage.get('ontheway'))?.body ?? Buffer.alloc(0)))
  assert.deepEqual(logsIn(rig.directory), [])
})

test('a service that is down does not keep the server from stopping, though the deadline is far', async () => {
  await using proxy = await startFaultProxy(storage)
  proxy.disorder = () => ({ status: 503 })
  await using rig = createRig(storage, { s3: { endpoint: proxy.url }, pace: { mostFailures: 1000 } })
  await rig.target.start()
  for (let index = 0; index < 5; index++) rig.keep(`down${index}`, Buffer.from('x'))
  await until('failures', () => proxy.count('put') > 10)
  await rig.target.stop(new AbortController().signal)
  assert.equal(logsIn(rig.directory).length, 10)
})

test('logs that sleep after a refusal get one more chance', async () => {
  await using proxy = await startFaultProxy(storage)
  proxy.disorder = ({ op }) => (op === 'put' ? { status: 403, name: 'AccessDenied' } : undefined)
  await using rig = createRig(storage, { s3: { endpoint: proxy.url }, pace: { lateMs: 3_600_000 } })
  await rig.target.start()
  rig.keep('sleeping', Buffer.from('x'))
  await rig.line('AUDIT_S3_SINGLE_UPLOAD_FAILED')
  proxy.disorder = () => undefined
  await rig.target.stop(new AbortController().signal)
  assert.equal((await storage.get('sleeping'))?.body.toString(), 'x')
})

test('at the deadline everything ends at once, and the next run goes on with the parts that are stored', async () => {
  await using proxy = await startFaultProxy(storage)
  proxy.disorder = ({ partNumber = 0 }) => (partNumber > 1 ? 'stall' : undefined)
  const bytes = randomBytes(3 * partBytes)
  const first = createRig(storage, { s3: { endpoint: proxy.url } })
  await first.target.start()
  first.keep('deadline', bytes)
  await first.line('AUDIT_S3_MULTIPART_PART_UPLOAD_COMPLETE')
  const deadline = new AbortController()
  const stopped = first.target.stop(deadline.signal)
  deadline.abort()
  await stopped
  assert.equal(first.count('AUDIT_S3_MULTIPART_ABORTING'), 0)
  proxy.disorder = () => undefined
  const before = proxy.count('part')
  await using next = createRig(storage, { directory: first.directory, s3: { endpoint: proxy.url } })
  await next.target.start()
  await next.empty()
  assert.ok(bytes.equals((await storage.get('deadline'))?.body ?? Buffer.alloc(0)))
  assert.equal(proxy.count('part') - before, 2)
})

test('the upload of a log that still grows is gone on with after the next start', async () => {
  const bytes = randomBytes(2 * partBytes + 9)
  const first = createRig(storage)
  await first.target.start()
  writeFileSync(join(first.directory, 'grows'), bytes)
  first.target.opened('grows', facts)
  first.target.grown('grows', partBytes)
  await first.line('AUDIT_S3_MULTIPART_PART_UPLOAD_COMPLETE')
  await first.target.stop(new AbortController().signal)
  await using next = createRig(storage, { directory: first.directory })
  await next.target.start()
  await next.empty()
  assert.ok(bytes.equals((await storage.get('grows'))?.body ?? Buffer.alloc(0)))
  assert.equal(next.count('AUDIT_S3_MULTIPART_UPLOAD'), 0)
  const sent = next.records.filter(({ code }) => code === 'AUDIT_S3_MULTIPART_PART_UPLOADING')
  assert.deepEqual(sent.map(({ labels }) => labels['partNumber']).sort(), [2, 3])
})

test('an upload that nothing on the disk tells of is taken back', async () => {
  await using proxy = await startFaultProxy(storage)
  proxy.disorder = ({ op }) => (op === 'part' ? 'stall' : undefined)
  let writes = 0
  // The first write goes well, as on a disk that fills up.
  const files = {
    open: ((...args: Parameters<typeof open>) => (writes++ === 0 ? open(...args) : full())) as typeof open,
  }
  const full = () => Promise.reject(Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' }))
  await using rig = createRig(storage, { s3: { endpoint: proxy.url }, files })
  await rig.target.start()
  rig.keep('untold', randomBytes(2 * partBytes))
  await until('a part on its way', () => proxy.count('part') > 0)
  await rig.target.stop(AbortSignal.timeout(100))
  const aborting = await rig.line('AUDIT_S3_MULTIPART_ABORTING')
  assert.deepEqual([aborting.level, aborting.labels['reason']], ['warning', 'shutdown'])
  await until('no upload', async () => (await storage.uploads()).length === 0)
})
