/** The calls are made in a thread: the same storage, as the daemon has it. */
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { settingsOf } from '../../../../src/primary/audit/s3/settings.ts'
import { createS3Threads } from '../../../../src/primary/audit/s3/threads.ts'
import { startStorage } from '../../../rigs/s3/storage.ts'
import { createRig, s3Options } from '../../../rigs/s3/target.ts'

const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

test('logs of every size are uploaded by a thread', async () => {
  await using storage = await startStorage()
  const failures: Error[] = []
  const threads = createS3Threads(settingsOf(s3Options(storage)), (error) => failures.push(error))
  try {
    await using rig = createRig(storage, { wrap: () => threads.ask })
    await rig.target.start()
    const large = randomBytes(16 * 2 ** 20 + 1)
    rig.keep('large', large)
    for (let index = 0; index < 50; index++) rig.keep(`small${index}`, Buffer.from(`log ${index}`))
    await rig.empty()
    assert.equal(digest((await storage.get('large'))?.body ?? Buffer.alloc(0)), digest(large))
    assert.equal((await storage.keys()).length, 51)
    assert.equal((await storage.get('small49'))?.body.toString(), 'log 49')
    assert.deepEqual(failures, [])
  } finally {
    await threads.close()
  }
})

test('a call to a thread that has been ended is a failure, not an exception', async () => {
  const threads = createS3Threads(
    settingsOf(s3Options({ accessKey: 'a', secretKey: 'b', bucket: 'c', url: 'http://127.0.0.1:1' })),
    () => undefined,
  )
  const { signal } = new AbortController()
  const refused = await threads.ask({ op: 'head', key: 'x' }, signal)
  assert.deepEqual(
    [refused.ok, !refused.ok && refused.failure.from, !refused.ok && refused.failure.name],
    [false, 'network', 'ECONNREFUSED'],
  )
  await threads.close()
  const late = await threads.ask({ op: 'head', key: 'x' }, signal)
  assert.deepEqual([late.ok, !late.ok && late.failure.from], [false, 'local'])
})
