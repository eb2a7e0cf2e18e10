/** Sessions of real clients in real containers, recorded to a real object storage. */
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { AuditRecord } from '../../src/shared/audit/record.ts'
import { type Daemon, startDaemon, until } from '../rigs/daemon.ts'
import { configFor, uniqueUser } from '../rigs/login.ts'
import { startFaultProxy } from '../rigs/s3/fault-proxy.ts'
import { type Storage, startStorage } from '../rigs/s3/storage.ts'
import { logsIn } from '../rigs/s3/target.ts'
import { client, type Key, makeKey } from '../rigs/ssh.ts'
import { contentsOf } from '../shared/audit/rig.ts'

const intercept = { stdin: true, stdout: true, stderr: true }

/** What came out of programs. */
const outputOf = (records: readonly AuditRecord[]): Buffer =>
  Buffer.concat(
    records.flatMap((each) =>
      each.type === 'io' && each.payload.stream === 1 ? [each.payload.data ?? new Uint8Array()] : [],
    ),
  )

describe('sessions in an object storage', { concurrency: 1 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'containerssh-audit-s3-'))
  const user = uniqueUser()
  let storage: Storage
  let key: Key
  before(async () => {
    key = makeKey()
    storage = await startStorage()
  })
  after(async () => {
    await storage[Symbol.asyncDispose]()
    key[Symbol.dispose]()
    rmSync(folder, { recursive: true, force: true })
  })

  const start = async (s3: Readonly<Record<string, unknown>> = {}, audit: Readonly<Record<string, unknown>> = {}) => {
    const { accessKey, secretKey, bucket, url } = storage
    const local = join(folder, 'queue')
    const places = {
      local,
      accessKey,
      secretKey,
      bucket,
      endpoint: url,
      pathStyleAccess: true,
      metadata: { username: true, ip: true },
    }
    const section = { enable: true, format: 'binary', storage: 's3', intercept, s3: { ...places, ...s3 }, ...audit }
    return startDaemon(await configFor(user, key, { config: { audit: section } }))
  }
  const connectionOf = async (daemon: Daemon): Promise<string> => {
    const { details } = await daemon.line('SSH_DISCONNECTED')
    return String(details['connectionId'])
  }
  const uploaded = (name: string) => until(`object ${name}`, () => storage.get(name))

  test('can be downloaded and decoded, and are the same in files when they go there too', async () => {
    const directory = join(folder, 'files')
    mkdirSync(directory)
    await using daemon = await start({}, { moreStorages: ['file'], file: { directory } })
    const { stdout } = await client(daemon.port, key, user).run(['echo hello from the container'])
    assert.equal(stdout.toString(), 'hello from the container\n')
    const name = await connectionOf(daemon)
    const object = await uploaded(name)
    const { records, problems } = await contentsOf(object.body)
    assert.deepEqual(problems, [])
    assert.deepEqual([records.at(0)?.type, records.at(-1)?.type], ['connect', 'disconnect'])
    assert.equal(outputOf(records).toString(), 'hello from the container\n')
    assert.ok(object.body.equals(readFileSync(join(directory, name))))
    const { timestamp, ...metadata } = object.metadata
    assert.match(timestamp ?? '', /^\d{10}$/)
    assert.deepEqual(metadata, { authenticated: 'true', country: 'XX', ip: '127.0.0.1', username: user })
    assert.equal(object.contentType, 'application/octet-stream')
    await until('an empty queue', () => logsIn(join(folder, 'queue')).length === 0)
  })

  test('are asciicasts, one for each session channel, if that is their format', async () => {
    await using daemon = await start({ keyPrefix: 'casts/' }, { format: 'asciinema' })
    await client(daemon.port, key, user).run(['echo hello cast'])
    const { body, contentType } = await uploaded(`casts/${await connectionOf(daemon)}`)
    assert.equal(contentType, 'application/x-asciicast')
    const [header = '', ...events] = body.toString().trim().split('\n')
    assert.equal(JSON.parse(header).command, 'echo hello cast')
    assert.ok(
      events.some((event) => JSON.parse(event)[2] === 'hello cast\n'),
      body.toString(),
    )
  })

  test('go up in parts while they last, and are whole after the daemon was killed', async () => {
    const daemon = await start()
    const program = 'head -c 14000000 /dev/urandom; exec sleep 1000'
    const ssh = client(daemon.port, key, user).start([program])
    const received: Buffer[] = []
    ssh.stdout.on('data', (chunk: Buffer) => received.push(chunk))
    await daemon.line('AUDIT_S3_MULTIPART_PART_UPLOAD_COMPLETE', ({ details }) => details['partNumber'] === 2, 60_000)
    await until('all bytes', () => received.reduce((sum, chunk) => sum + chunk.length, 0) === 14_000_000)
    // By then what was received is on the disk.
    const queue = join(folder, 'queue')
    const [name = ''] = readdirSync(queue).filter((file) => !file.includes('.'))
    await until('the record of it', async () => {
      const { records } = await contentsOf(readFileSync(join(queue, name)))
      return outputOf(records).length === 14_000_000
    })
    for (const pid of [daemon.pid, ...daemon.workers()]) process.kill(pid, 'SIGKILL')
    await daemon.exited
    await using next = await start()
    const object = await uploaded(name)
    assert.ok(Buffer.concat(received).equals(outputOf((await contentsOf(object.body)).records)))
    await next.line('AUDIT_S3_RECOVERING', ({ details }) => details['log'] === name)
    assert.equal(next.lines.filter(({ code }) => code === 'AUDIT_S3_MULTIPART_UPLOAD').length, 0)
    assert.deepEqual(await storage.uploads(), [])
  })

  test('go on while the storage is down, and so do the start and the end of the daemon', async () => {
    await using proxy = await startFaultProxy(storage)
    proxy.disorder = () => 'reset'
    const daemon = await start({ endpoint: proxy.url })
    const { stdout } = await client(daemon.port, key, user).run(['echo unimpressed'])
    assert.equal(stdout.toString(), 'unimpressed\n')
    const name = await connectionOf(daemon)
    await daemon.line('AUDIT_S3_SINGLE_UPLOAD_FAILED', ({ details }) => details['log'] === name)
    daemon.kill('SIGTERM')
    assert.deepEqual(await daemon.exited, { code: 0, signal: null })
    assert.ok(existsSync(join(folder, 'queue', name)))
    proxy.disorder = () => undefined
    await using next = await start({ endpoint: proxy.url })
    assert.equal(outputOf((await contentsOf((await uploaded(name)).body)).records).toString(), 'unimpressed\n')
    await next.line('AUDIT_S3_SINGLE_UPLOAD_COMPLETE')
  })

  test('have one daemon for each queue: another does not start, nor one without a usable queue', async () => {
    await using daemon = await start()
    await assert.rejects(start(), new RegExp(`AUDIT_S3_QUEUE_IN_USE.*belongs to process ${daemon.pid} on`))
    await assert.rejects(start({ local: '/proc/nothing/here' }), /CORE_CONFIG_ERROR.*audit\.s3\.local: ./)
  })
})
