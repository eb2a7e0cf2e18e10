/** The queue directory: who owns it, and what happens when files in it cannot be made, written or removed. */
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, unlinkSync, writeFileSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { after, before, test } from 'node:test'
import { settingsOf } from '../../../../src/primary/audit/s3/settings.ts'
import { Fault } from '../../../../src/shared/codes/fault.ts'
import { createS3Caller } from '../../../../src/workers/pool/storage/s3-calls.ts'
import { until } from '../../../rigs/daemon.ts'
import { startFaultProxy } from '../../../rigs/s3/fault-proxy.ts'
import { type Storage, startStorage } from '../../../rigs/s3/storage.ts'
import { createRig, facts, logsIn, newDirectory, s3Options } from '../../../rigs/s3/target.ts'

const uploader = resolve(import.meta.dirname, '../../../rigs/s3/uploader.ts')

let storage: Storage
before(async () => {
  storage = await startStorage()
})
after(() => storage[Symbol.asyncDispose]())

async function refusal(start: Promise<void>): Promise<Fault> {
  const error = await start.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  assert.ok(error instanceof Fault, String(error))
  return error
}

/** A file system of its own in a folder. */
function mount(options: string): { readonly directory: string } & Disposable {
  const directory = newDirectory()
  execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', directory])
  return { directory, [Symbol.dispose]: () => void execFileSync('umount', ['-l', directory]) }
}

test('a directory that is not there is made, for its owner only', async () => {
  const directory = join(newDirectory(), 'a', 'b')
  await using rig = createRig(storage, { directory })
  await rig.target.start()
  assert.equal(statSync(directory).mode & 0o777, 0o700)
  rig.keep('made', Buffer.from('x'))
  await until('its metadata', () => existsSync(join(directory, 'made.metadata.json')) || rig.target.queue().logs === 0)
  await rig.empty()
})

test('two servers do not share a queue: the second does not start, and says whose it is', async () => {
  await using first = createRig(storage)
  await first.target.start()
  await using second = createRig(storage, { directory: first.directory })
  const fault = await refusal(second.target.start())
  assert.equal(fault.code, 'AUDIT_S3_QUEUE_IN_USE')
  assert.match(fault.message, new RegExp(`${first.directory} .* belongs to process ${process.pid} on `))
  first.keep('mine', Buffer.from('x'))
  await first.empty()
  await first.target.stop(new AbortController().signal)
  await using third = createRig(storage, { directory: first.directory })
  await third.target.start()
})

test('of many servers that start at once after a crash, exactly one has the queue', async () => {
  const directory = newDirectory()
  const { accessKey: ACCESS_KEY, secretKey: SECRET_KEY, bucket: BUCKET } = storage
  const child = spawn(process.execPath, [uploader, directory, storage.url], {
    stdio: ['pipe', 'ignore', 'inherit'],
    env: { ...process.env, ACCESS_KEY, SECRET_KEY, BUCKET },
  })
  child.stdin?.end()
  const lock = join(directory, 'containerssh.lock')
  await until('the owner', () => existsSync(lock) || child.exitCode !== null, 60_000)
  child.kill('SIGKILL')
  await once(child, 'exit')
  assert.ok(existsSync(lock))
  const rigs = Array.from({ length: 8 }, () => createRig(storage, { directory }))
  const starts = await Promise.allSettled(rigs.map((rig) => rig.target.start()))
  assert.equal(starts.filter(({ status }) => status === 'fulfilled').length, 1)
  for (const start of starts) {
    if (start.status === 'rejected') assert.equal(start.reason.code, 'AUDIT_S3_QUEUE_IN_USE')
  }
  for (const rig of rigs) await rig[Symbol.asyncDispose]()
})

test('a directory that cannot be used ends the start with the reason', async () => {
  const file = join(newDirectory(), 'file')
  writeFileSync(file, '')
  await using inFile = createRig(storage, { directory: join(file, 'queue') })
  assert.match(
    String((await refusal(inFile.target.start())).cause),
    /^Error: audit\.s3\.local: ".*" cannot be used: ENOTDIR/,
  )
  await using isFile = createRig(storage, { directory: file })
  assert.equal((await refusal(isFile.target.start())).code, 'CORE_CONFIG_ERROR')
  await using nowhere = createRig(storage, { directory: '/proc/nothing/here' })
  assert.match(String((await refusal(nowhere.target.start())).cause), /ENOENT/)
  using readOnly = mount('ro')
  const onReadOnly = createRig(storage, { directory: readOnly.directory })
  const fault = await refusal(onReadOnly.target.start())
  assert.equal(fault.code, 'CORE_CONFIG_ERROR')
  assert.match(String(fault.cause), /EROFS/)
})

test('on a disk without room or inodes the connection goes on, and its log is uploaded', async () => {
  // One inode each for the folder, the lock and the log.
  using few = mount('nr_inodes=3')
  const inodes = createRig(storage, { directory: few.directory })
  await inodes.target.start()
  inodes.keep('inodes', Buffer.from('x'))
  const uncreated = await inodes.line('AUDIT_S3_FAILED_CREATING_METADATA_FILE')
  assert.equal(uncreated.level, 'warning')
  await inodes.empty()
  await inodes.target.stop(new AbortController().signal)
  using small = mount('size=4k')
  const page = createRig(storage, { directory: small.directory })
  await page.target.start()
  page.keep('page', Buffer.alloc(4096, 'x'))
  await page.line('AUDIT_S3_FAILED_WRITING_METADATA_FILE')
  await page.empty()
  await page.target.stop(new AbortController().signal)
  assert.equal((await storage.get('inodes'))?.body.toString(), 'x')
  assert.equal((await storage.get('page'))?.body.length, 4096)
})

test('metadata that cannot be closed or encoded is told of, and the log is uploaded', async () => {
  const files = {
    open: (async (...args: Parameters<typeof open>) => {
      const handle = await open(...args)
      const close = handle.close.bind(handle)
      handle.close = async () => {
        await close()
        throw Object.assign(new Error('EIO: i/o error, close'), { code: 'EIO' })
      }
      return handle
    }) as typeof open,
  }
  await using rig = createRig(storage, { files })
  await rig.target.start()
  rig.keep('unclosed', Buffer.from('x'))
  await rig.line('AUDIT_S3_CANNOT_CLOSE_METADATA_FILE_HANDLE')
  rig.keep('unencoded', Buffer.from('x'), { startTime: 1n as unknown as number })
  await rig.line('AUDIT_S3_FAILED_METADATA_JSON_ENCODING')
  await rig.empty()
  assert.equal((await storage.get('unencoded'))?.metadata['timestamp'], '1')
})

test('a log that somebody removes before its upload fails, and is given up for good', async () => {
  await using rig = createRig(storage, { pace: { mostFailures: 3 } })
  await rig.target.start()
  writeFileSync(join(rig.directory, 'removed'), 'x')
  rig.target.opened('removed', facts)
  await until('its metadata', () => existsSync(join(rig.directory, 'removed.metadata.json')))
  unlinkSync(join(rig.directory, 'removed'))
  rig.target.closed('removed', 1)
  const failed = await rig.line('AUDIT_S3_FAILED_STAT_QUEUE_ENTRY')
  assert.deepEqual([failed.level, failed.labels['log']], ['error', 'removed'])
  await until('the end of it', () => rig.target.queue().logs === 0)
  assert.equal(rig.count('AUDIT_S3_FAILED_STAT_QUEUE_ENTRY'), 3)
  await rig.target.stop(new AbortController().signal)
  await using next = createRig(storage, { directory: rig.directory })
  await next.target.start()
  await next.line('AUDIT_S3_NO_SUCH_QUEUE_ENTRY')
})

test('a log that cannot be removed after its upload is told of', async () => {
  const hold = Promise.withResolvers<void>()
  await using proxy = await startFaultProxy(storage)
  proxy.disorder = ({ op }) => (op === 'put' ? { until: hold.promise } : undefined)
  await using rig = createRig(storage, { s3: { endpoint: proxy.url } })
  await rig.target.start()
  rig.keep('unlinked', Buffer.from('x'))
  rig.keep('replaced', Buffer.from('x'))
  await until('both on their way', () => proxy.count('put') === 2)
  unlinkSync(join(rig.directory, 'unlinked'))
  unlinkSync(join(rig.directory, 'replaced'))
  mkdirSync(join(rig.directory, 'replaced'))
  hold.resolve()
  await rig.line('AUDIT_S3_REMOVE_FAILED', ({ labels }) => labels['log'] === 'unlinked')
  await rig.line('AUDIT_S3_REMOVE_FAILED', ({ labels }) => labels['log'] === 'replaced')
  await until('the end of both', () => rig.target.queue().logs === 0)
  assert.deepEqual(logsIn(rig.directory).sort(), ['replaced', 'replaced.metadata.json'])
})

test('a log whose file cannot be closed is uploaded, and its file stays', async () => {
  const broken = async (file: string): Promise<FileHandle> => {
    const handle = await open(file)
    const close = handle.close.bind(handle)
    handle.close = async () => {
      await close()
      throw Object.assign(new Error('EIO: i/o error, close'), { code: 'EIO' })
    }
    return handle
  }
  const caller = createS3Caller(broken)
  const settings = settingsOf(s3Options(storage))
  await using rig = createRig(storage, { wrap: () => (call, signal) => caller(settings, call, signal) })
  await rig.target.start()
  rig.keep('stays', Buffer.from('x'))
  await rig.line('AUDIT_S3_CLOSE_FAILED', ({ labels, level }) => labels['log'] === 'stays' && level === 'error')
  await until('the end of it', () => rig.target.queue().logs === 0)
  assert.equal((await storage.get('stays'))?.body.toString(), 'x')
  assert.equal(readFileSync(join(rig.directory, 'stays'), 'utf8'), 'x')
  rmSync(join(rig.directory, 'stays'))
})
