/** What happens when the object storage, or the way to it, is out of order: nothing is lost, and the log tells. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { until } from '../../../rigs/daemon.ts'
import { type Disorder, type FaultProxy, type Request, startFaultProxy } from '../../../rigs/s3/fault-proxy.ts'
import { type Storage, startStorage } from '../../../rigs/s3/storage.ts'
import { createRig, facts, type Rig, type RigOptions } from '../../../rigs/s3/target.ts'

const partBytes = 5 * 2 ** 20

let storage: Storage
before(async () => {
  storage = await startStorage()
})
after(() => storage[Symbol.asyncDispose]())

interface Setup extends AsyncDisposable {
  readonly rig: Rig
  readonly proxy: FaultProxy
}
async function setUp(disorder: (request: Request) => Disorder | undefined, options: RigOptions = {}): Promise<Setup> {
  const proxy = await startFaultProxy(storage)
  proxy.disorder = disorder
  const rig = createRig(storage, { ...options, s3: { endpoint: proxy.url, ...options.s3 } })
  await rig.target.start()
  return {
    rig,
    proxy,
    async [Symbol.asyncDispose]() {
      await rig[Symbol.asyncDispose]()
      await proxy[Symbol.asyncDispose]()
    },
  }
}
const bodyOf = async (key: string): Promise<Buffer | undefined> => (await storage.get(key))?.body

test('a log is sent again, whole, after each way in which a request can fail', async () => {
  const disorders: readonly Disorder[] = ['reset', 'cut', 'stall', { status: 500 }, { status: 503, name: 'SlowDown' }]
  const limits = { idleMs: 300 }
  await using setup = await setUp(({ op, before }) => (op === 'put' ? disorders[before] : undefined), { limits })
  const bytes = randomBytes(2 ** 20)
  setup.rig.keep('again', bytes)
  await setup.rig.empty()
  assert.ok(bytes.equals((await bodyOf('again')) ?? Buffer.alloc(0)))
  const failed = setup.rig.records.filter(({ code }) => code === 'AUDIT_S3_SINGLE_UPLOAD_FAILED')
  assert.deepEqual(
    failed.map(({ labels, level }) => [labels['attempt'], labels['status'], level]),
    [
      [1, undefined, 'error'],
      [2, undefined, 'error'],
      [3, undefined, 'error'],
      [4, 500, 'error'],
      [5, 503, 'error'],
    ],
  )
  assert.equal(setup.proxy.count('put'), 6)
})

test('a part is sent again after each way in which a request can fail, and the others are not', async () => {
  const disorders: readonly Disorder[] = ['reset', 'cut', 'stall', { status: 500 }, 'lose']
  const limits = { idleMs: 300 }
  let faults = 0
  const disorder = ({ op, partNumber }: Request) =>
    op === 'part' && partNumber === 2 ? disorders[faults++] : undefined
  await using setup = await setUp(disorder, { limits })
  const bytes = randomBytes(3 * partBytes)
  setup.rig.keep('parts', bytes)
  await setup.rig.empty()
  assert.ok(bytes.equals((await bodyOf('parts')) ?? Buffer.alloc(0)))
  assert.equal(
    setup.rig.count('AUDIT_S3_MULTIPART_PART_UPLOAD_FAILED', ({ labels }) => labels['partNumber'] === 2),
    5,
  )
  // At last only the answer was lost.
  assert.equal(setup.proxy.count('part'), 2 + disorders.length)
})

test('a service that takes bytes too slowly is left after the time that they may take', async () => {
  const limits = { requestMs: 200, leastBytesPerSecond: 1e9 }
  const disorder = ({ op, before }: Request): Disorder | undefined =>
    op === 'put' && before === 0 ? 'stall' : undefined
  await using setup = await setUp(disorder, { limits })
  setup.rig.keep('slow', Buffer.from('x'))
  await setup.rig.empty()
  const failed = await setup.rig.line('AUDIT_S3_SINGLE_UPLOAD_FAILED')
  assert.match(String(failed.labels['error']), /timeout/i)
})

test('with a wrong key logs wait, with one line on level error, until somebody has repaired it', async () => {
  await using rig = createRig(storage, { s3: { secretKey: 'another one' } })
  await rig.target.start()
  rig.keep('denied1', Buffer.from('1'))
  rig.keep('denied2', Buffer.from('2'))
  await until('more tries', () => rig.count('AUDIT_S3_SINGLE_UPLOAD_FAILED') >= 6)
  assert.equal(
    rig.count('AUDIT_S3_SINGLE_UPLOAD_FAILED', ({ level }) => level === 'error'),
    1,
  )
  const { labels } = await rig.line('AUDIT_S3_SINGLE_UPLOAD_FAILED')
  assert.equal(labels['status'], 403)
  assert.match(String(labels['error']), /^SignatureDoesNotMatch/)
  assert.ok(!JSON.stringify(rig.records).includes('another one'))
  await rig.target.stop(AbortSignal.timeout(0))
  await using repaired = createRig(storage, { directory: rig.directory })
  await repaired.target.start()
  await repaired.empty()
  assert.equal((await bodyOf('denied2'))?.toString(), '2')
})

test('a wrong region is told as what it is', async () => {
  await using rig = createRig(storage, { s3: { region: 'mars-north-1' } })
  await rig.target.start()
  rig.keep('region', Buffer.from('x'))
  const { labels } = await rig.line('AUDIT_S3_SINGLE_UPLOAD_FAILED')
  assert.equal(labels['status'], 400)
  assert.match(String(labels['error']), /region/)
})

test('logs wait for a bucket that is missing, and go up once it exists', async () => {
  await using rig = createRig(storage, { s3: { bucket: 'later' } })
  await rig.target.start()
  rig.keep('patient', Buffer.from('x'))
  rig.keep('large', randomBytes(2 * partBytes))
  const single = await rig.line('AUDIT_S3_SINGLE_UPLOAD_FAILED')
  const multi = await rig.line('AUDIT_S3_MULTIPART_UPLOAD_INITIALIZATION_FAILED')
  for (const { labels } of [single, multi]) {
    assert.deepEqual([labels['status'], labels['bucket']], [404, 'later'])
    assert.match(String(labels['error']), /^NoSuchBucket/)
  }
  await storage.client.createBucket({ Bucket: 'later' })
  await rig.empty()
  const { Contents = [] } = await storage.client.listObjectsV2({ Bucket: 'later' })
  assert.deepEqual(Contents.map(({ Key }) => Key).sort(), ['large', 'patient'])
})

test('a part that is refused as unfit makes the upload begin anew, and then go as one piece', async () => {
  const disorder = ({ op }: Request): Disorder | undefined =>
    op === 'part' ? { status: 400, name: 'InvalidPart' } : undefined
  await using setup = await setUp(disorder)
  const bytes = randomBytes(2 * partBytes)
  setup.rig.keep('unfit', bytes)
  await setup.rig.empty()
  assert.ok(bytes.equals((await bodyOf('unfit')) ?? Buffer.alloc(0)))
  assert.deepEqual([setup.proxy.count('create'), setup.proxy.count('abort'), setup.proxy.count('put')], [2, 2, 1])
  assert.deepEqual(await storage.uploads(), [])
})

test('an upload that the service forgot is begun anew, after one failure at most that says less', async () => {
  await using rig = createRig(storage)
  await rig.target.start()
  const bytes = randomBytes(2 * partBytes)
  writeFileSync(join(rig.directory, 'forgot'), bytes)
  rig.target.opened('forgot', facts)
  rig.target.grown('forgot', partBytes)
  await rig.line('AUDIT_S3_MULTIPART_PART_UPLOAD_COMPLETE')
  const [id] = await storage.uploads()
  await storage.client.abortMultipartUpload({ Bucket: storage.bucket, Key: 'forgot', UploadId: id })
  rig.target.closed('forgot', bytes.length)
  await rig.empty()
  assert.ok(bytes.equals((await bodyOf('forgot')) ?? Buffer.alloc(0)))
  assert.equal(rig.count('AUDIT_S3_MULTIPART_UPLOAD'), 2)
  // The service may close the connection before we have read why.
  const alarms = rig.count('AUDIT_S3_MULTIPART_PART_UPLOAD_FAILED', ({ level }) => level !== 'debug')
  assert.ok(alarms <= 1, `${alarms} alarms`)
})

test('parts are joined in the end, whether the service fails, says so late, or its answer is lost', async () => {
  const disorders: readonly Disorder[] = [{ status: 500 }, { status: 200 }, 'lose']
  await using setup = await setUp(({ op, before }) => (op === 'complete' ? disorders[before] : undefined))
  const bytes = randomBytes(2 * partBytes)
  setup.rig.keep('joined', bytes)
  await setup.rig.empty()
  assert.ok(bytes.equals((await bodyOf('joined')) ?? Buffer.alloc(0)))
  const failed = setup.rig.records.filter(({ code }) => code === 'AUDIT_S3_MULTIPART_UPLOAD_FINALIZATION_FAILED')
  assert.equal(failed.length, 3)
  assert.match(String(failed[1]?.labels['error']), /InternalError/)
  // The third try took effect, so the fourth found no upload, but the object.
  assert.equal(setup.proxy.count('complete'), 4)
  assert.equal(setup.proxy.count('create'), 1)
})

test('after too many failures an upload is given up, and begun anew after a rest', async () => {
  let isBroken = true
  const disorder = ({ op }: Request): Disorder | undefined =>
    isBroken && op === 'complete'
      ? { status: 500 }
      : op === 'abort' && isBroken
        ? { status: 403, name: 'AccessDenied' }
        : undefined
  await using setup = await setUp(disorder, { pace: { mostFailures: 3 } })
  const bytes = randomBytes(2 * partBytes)
  setup.rig.keep('given-up', bytes)
  const given = await setup.rig.line('AUDIT_S3_MULTIPART_ABORTING')
  assert.deepEqual([given.level, given.labels['reason']], ['warning', '3 failures in a row'])
  const failed = await setup.rig.line('AUDIT_S3_MULTIPART_FAILED_ABORT')
  assert.equal(failed.labels['status'], 403)
  isBroken = false
  await setup.rig.empty()
  assert.ok(bytes.equals((await bodyOf('given-up')) ?? Buffer.alloc(0)))
  assert.deepEqual(await storage.uploads(), [])
})

test('a service that is killed in the middle of a part, and comes back, gets all of it', async () => {
  await using own = await startStorage()
  const hold = Promise.withResolvers<void>()
  await using proxy = await startFaultProxy(own)
  proxy.disorder = ({ op, partNumber, before }) =>
    op === 'part' && partNumber === 2 && before < 3 ? { until: hold.promise } : undefined
  await using rig = createRig(own, { s3: { endpoint: proxy.url } })
  await rig.target.start()
  const bytes = randomBytes(3 * partBytes)
  rig.keep('killed', bytes)
  await until('the second part on its way', () => proxy.requests.some(({ partNumber }) => partNumber === 2))
  await own.kill()
  hold.resolve()
  await rig.line('AUDIT_S3_MULTIPART_PART_UPLOAD_FAILED')
  await own.start()
  await rig.empty()
  assert.ok(bytes.equals((await own.get('killed'))?.body ?? Buffer.alloc(0)))
})

test('an object that is not what was sent is sent again; who may not look trusts the answer', async () => {
  const disorder = ({ op, key, before }: Request): Disorder | undefined => {
    if (op !== 'head') return undefined
    if (key === 'blind') return { status: 403 }
    return before === 0 ? { status: 200, headers: { 'content-length': '7' } } : undefined
  }
  await using setup = await setUp(disorder)
  setup.rig.keep('wrong', Buffer.from('what was sent'))
  await setup.rig.empty()
  const { labels } = await setup.rig.line('AUDIT_S3_SINGLE_UPLOAD_FAILED')
  assert.match(String(labels['error']), /has 7 bytes/)
  assert.equal(setup.proxy.count('put'), 2)
  setup.rig.keep('blind', Buffer.from('x'))
  await setup.rig.empty()
  assert.equal(setup.proxy.count('put'), 3)
})

test('an ACL that the bucket does not allow is told in the words of the service', async () => {
  const disorder = ({ op }: Request): Disorder | undefined =>
    op === 'put' ? { status: 400, name: 'AccessControlListNotSupported' } : undefined
  await using setup = await setUp(disorder, { s3: { acl: 'public-read' } })
  setup.rig.keep('acl', Buffer.from('x'))
  const { labels } = await setup.rig.line('AUDIT_S3_SINGLE_UPLOAD_FAILED')
  assert.match(String(labels['error']), /^AccessControlListNotSupported/)
})

test('when the service is back for one log, the others do not wait out their pauses', async () => {
  let isDown = true
  await using setup = await setUp(() => (isDown ? { status: 503 } : undefined), { pace: { firstMs: 3_600_000 } })
  for (let index = 0; index < 6; index++) setup.rig.keep(`pauses${index}`, Buffer.from('x'))
  await until('all of them to fail', () => setup.rig.count('AUDIT_S3_SINGLE_UPLOAD_FAILED') === 6)
  isDown = false
  setup.rig.keep('herald', Buffer.from('x'))
  await setup.rig.empty()
  assert.equal((await bodyOf('pauses5'))?.toString(), 'x')
})
