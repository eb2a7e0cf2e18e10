import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { generateX25519Identity, identityToRecipient } from 'age-encryption'
import { openLog } from '../../../src/shared/audit/envelope-reader.ts'
import type { AuditRecord } from '../../../src/shared/audit/record.ts'
import { looksRandom } from '../../../src/workers/pool/compression.ts'
import { contentsOf } from '../../shared/audit/rig.ts'
import { connect, newId, output, record, startAudit, until, worker } from './rig.ts'

const pem = (type: 'ed25519' | 'rsa'): string => {
  const { privateKey } =
    type === 'rsa' ? generateKeyPairSync('rsa', { modulusLength: 2048 }) : generateKeyPairSync('ed25519')
  return privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()
}
/** A session that runs a program in channel `id`. */
const session = (id: number, program: string): AuditRecord[] => [
  record('new_channel_successful', id, { channelType: 'session' }),
  record('exec', id, { requestId: 0, program }),
]
const lines = (cast: Buffer): unknown[] =>
  cast
    .toString()
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
const outputOf = (cast: Buffer): string =>
  (lines(cast).slice(1) as [number, string, string][]).map(([, code, text]) => (code === 'o' ? text : '')).join('')

test('asciinema: each session channel has a recording of its own, whole characters however they are cut', async () => {
  await using rig = await startAudit({ format: 'asciinema' })
  const one = worker(rig.audit)
  const id = newId()
  one.open(1, id)
  const euro = Buffer.from('€')
  const sent = [
    () => one.send(1, connect, ...session(0, 'first')),
    () => one.send(1, output('price: '), output(euro.subarray(0, 1))),
    // Not of a session.
    () => one.send(1, record('new_channel_successful', 5, { channelType: 'direct-tcpip' }), output('web page', 5)),
    () => one.send(1, ...session(1, 'second'), output(euro.subarray(1)), output('other', 1)),
    () => one.send(1, record('close', 0, null), output('after the end', 0)),
    () => one.send(1, ...session(2, 'third'), output('last', 2)),
  ]
  // One task for each, so that what is left of one goes on to the next.
  let bytes = 0
  for (const send of sent) {
    bytes += send()
    await until('the batch', () => one.stored(1) === bytes)
  }
  one.close(1)
  await rig.closed()
  assert.deepEqual(rig.names(), [id, `${id}-2`, `${id}-3`])
  assert.equal((lines(rig.bytes(id))[0] as { command: string }).command, 'first')
  assert.equal(outputOf(rig.bytes(id)), 'price: €')
  assert.equal(outputOf(rig.bytes(`${id}-2`)), 'other')
  assert.equal(outputOf(rig.bytes(`${id}-3`)), 'last')
})

test('asciinema: a connection without a session has a recording without events', async () => {
  await using rig = await startAudit({ format: 'asciinema' })
  const one = worker(rig.audit)
  const id = newId()
  one.open(1, id)
  one.send(1, connect)
  one.close(1)
  await rig.closed()
  const [header, ...rest] = lines(rig.bytes(id)) as { version: number; command: string; timestamp: number }[]
  assert.deepEqual([header?.version, header?.command, rest], [2, '', []])
  assert.equal(header?.timestamp, Number(connect.timestamp / 1_000_000_000n))
})

test('asciinema: a worker that says to have more session channels than there may be is told of', async () => {
  await using rig = await startAudit({ format: 'asciinema' })
  const one = worker(rig.audit)
  one.open(1, newId())
  for (let channel = 0; channel < 1000; channel++) one.send(1, ...session(channel, 'x'))
  await until('the offence', () => one.offences.length > 0)
  assert.match(one.offences[0] ?? '', /session channels at a time/)
  rig.audit.over(1)
  await rig.closed()
  assert.ok(rig.names().length <= 128, `${rig.names().length} files`)
})

for (const format of ['binary', 'zstd'] as const) {
  test(`${format}: what can and what cannot be compressed is all there, chained over all batches`, async () => {
    await using rig = await startAudit({ format, sign: true }, [pem('ed25519')])
    const one = worker(rig.audit)
    const id = newId()
    one.open(1, id)
    const blocks = [Buffer.alloc(100_000, 'text '), crypto.getRandomValues(Buffer.alloc(60_000)), Buffer.from('end')]
    let bytes = 0
    for (const block of blocks) {
      bytes += one.send(1, output(block))
      await until('the batch', () => one.stored(1) === bytes)
    }
    one.close(1)
    await rig.closed()
    const { records, problems } = await rig.contents(id)
    assert.deepEqual(problems, [])
    const io = records.flatMap((each) => (each.type === 'io' ? [each.payload.data ?? new Uint8Array(0)] : []))
    assert.ok(Buffer.concat(io).equals(Buffer.concat(blocks)))
    assert.ok(rig.bytes(id).length < 62_000)
    assert.equal(rig.codes().includes('AUDIT_NOT_SIGNED'), false)
  })
}

test('a log with recipients is an envelope that only they open, and it says that it is whole', async () => {
  const identity = await generateX25519Identity()
  await using rig = await startAudit({ recipients: [await identityToRecipient(identity)] })
  const one = worker(rig.audit)
  const id = newId()
  one.open(1, id)
  const bytes = one.send(1, connect, output('secret'))
  await until('the batch', () => one.stored(1) === bytes)
  one.close(1)
  await rig.closed()
  assert.equal((await rig.contents(id)).records.length, 0)
  async function* file() {
    yield rig.bytes(id)
  }
  const opened = openLog(file(), [identity])
  const content: Uint8Array[] = []
  for await (const chunk of opened.chunks) content.push(Uint8Array.from(chunk))
  assert.equal(opened.isWhole, true)
  const { records, problems } = await contentsOf(Buffer.concat(content))
  assert.deepEqual([records.map(({ type }) => type), problems], [['connect', 'io', 'disconnect'], []])
})

test('without an ed25519 host key logs are chained but not signed, and the daemon says so', async () => {
  await using rig = await startAudit({ sign: true }, [pem('rsa')])
  assert.deepEqual(rig.codes(), ['AUDIT_NOT_SIGNED'])
  const one = worker(rig.audit)
  const id = newId()
  one.open(1, id)
  one.close(1)
  await rig.closed()
  assert.deepEqual((await rig.contents(id)).problems, [])
})

test('data that looks random is what compressors made, not what people read', () => {
  const random = crypto.getRandomValues(Buffer.alloc(60_000))
  const base64 = Buffer.from(random.toString('base64'))
  assert.equal(looksRandom(random), true)
  assert.equal(looksRandom(random.subarray(0, 1000)), false)
  assert.equal(looksRandom(base64), false)
  assert.equal(looksRandom(Buffer.from('All work and no play. '.repeat(1000))), false)
})
