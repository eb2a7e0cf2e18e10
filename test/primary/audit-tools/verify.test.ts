import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createItemScanner } from '../../../src/shared/audit/cbor-scan.ts'
import { signerOf } from '../../../src/shared/audit/chain-closing.ts'
import { headerBytes } from '../../../src/shared/audit/file-format.ts'
import type { AuditRecord } from '../../../src/shared/audit/record.ts'
import { generateHostKey } from '../../../src/shared/private-key.ts'
import { chained, connectionId, logOf, packed, rawLog } from '../../shared/audit/rig.ts'
import { audit, fileOf, goldenPath, session } from './rig.ts'

const signer = signerOf([await generateHostKey('host')])
const another = signerOf([await generateHostKey('other')])
assert.ok(signer && another)
const lineOf = (blob: Uint8Array): string => `ssh-ed25519 ${Buffer.from(blob).toString('base64')}`

const { records } = session().env('A', '1').pty(80, 24).exec('make').io(1, 'one').io(1, 'two').io(2, 'three').exit(2)
const batches: readonly (readonly AuditRecord[])[] = [records.slice(0, 1), records.slice(1, 4), records.slice(4)]
const sealed = chained(batches, signer)

/** The messages of batches, each for itself. */
const messagesOf = (content: readonly Uint8Array[]): Buffer[] => {
  const all = Buffer.concat(content)
  const scanner = createItemScanner(1 << 20)
  const messages: Buffer[] = []
  for (let from = 0; from < all.length; ) {
    const length = scanner.scan(all, from) ?? all.length
    messages.push(all.subarray(from, from + length))
    from += length
  }
  return messages
}
const messages = messagesOf(sealed)
let files = 0
const fileWith = (content: readonly Uint8Array[]): string =>
  fileOf(`log-${files++ % 20}`, rawLog([Buffer.concat(content)]))
const verdict = async (content: readonly Uint8Array[]) => audit('verify', fileWith(content))

test('a log as it was written is intact, and it is said who signed it, and whether it is the expected key', async () => {
  const file = fileOf(connectionId, rawLog(sealed))
  const plain = await audit('verify', file)
  const what = `8 messages of connection ${connectionId}, signed by SHA256:`
  assert.equal(plain.status, 0)
  assert.match(
    plain.out,
    new RegExp(`^${file}: intact: ${what}[\\w+/]{43}, whose key that is was not checked, see --key\n$`),
  )
  const hosts = fileOf(
    'known_hosts',
    Buffer.from(`# hosts\n@revoked * ${lineOf(another.blob)}\n[a]:22 ${lineOf(signer.blob)}\n`),
  )
  for (const key of [lineOf(signer.blob), `host ${lineOf(signer.blob)} comment`, hosts]) {
    const { status, out } = await audit('verify', '--key', key, file)
    assert.equal(status, 0)
    assert.match(out, /, which is an expected key\n$/)
  }
  const wrong = await audit('verify', '--key', lineOf(another.blob), file)
  assert.equal(wrong.status, 3)
  assert.match(wrong.out, /: intact, but not signed by an expected key: 8 messages/)
  const none = await audit('verify', '--key', goldenPath('README.md'), file)
  assert.deepEqual([none.status, none.out], [1, ''])
  assert.match(none.err, /expected a line with an ssh-ed25519 key, found none/)
})

test('however the content is compressed, it is the same log', async () => {
  for (const log of [rawLog(sealed, 'zstd'), rawLog(messages), rawLog([Buffer.concat(sealed)])]) {
    assert.equal((await audit('verify', fileOf('again', log))).status, 0)
  }
})

test('logs without a signature, an end or a chain are told from each other, and have statuses of their own', async () => {
  const expect = async (log: Buffer, status: number, text: RegExp): Promise<void> => {
    const result = await audit('verify', fileOf('kinds', log))
    assert.match(result.out, text)
    assert.equal(result.status, status)
  }
  await expect(rawLog(chained(batches, undefined)), 6, /: intact, but not signed: 8 messages/)
  const time = '2023-11-14T22:13:20.700000000Z'
  const bound = /; later ones confirm those up to number 3 of 2023-11-14T22:13:20.400000000Z\n$/
  await expect(
    rawLog(sealed.slice(0, -1)),
    4,
    new RegExp(`: incomplete: 7 messages .*, the last is number 6 of ${time}`),
  )
  await expect(rawLog(sealed.slice(0, -1)), 4, bound)
  const whole = rawLog(sealed)
  await expect(whole.subarray(0, headerBytes + 200), 4, /: incomplete: \d messages/)
  await expect(whole.subarray(0, headerBytes), 4, /: incomplete: it has no messages/)
  await expect(logOf([records]), 5, /: unprotected: 7 messages .*, without a chain, without an end/)
  const several = [logOf([records]), rawLog(sealed), rawLog(sealed.slice(0, -1))].map((log, index) =>
    fileOf(`s${index}`, log),
  )
  const { status, out } = await audit('verify', ...several)
  assert.deepEqual([status, out.split('\n').length - 1], [4, 3])
  assert.equal((await audit('verify', goldenPath('reference-0.6-exec-echo.auditlog'))).status, 5)
  const gone = await audit('verify', '/nonexistent/log', ...several)
  assert.deepEqual([gone.status, gone.err], [1, '/nonexistent/log: expected a readable file, found: no such file\n'])
})

test('it is said which message was removed, moved, repeated, inserted or changed', async () => {
  const [m0, m1, m2, m3, m4, m5, m6, end] = messages
  assert.ok(m0 && m1 && m2 && m3 && m4 && m5 && m6 && end)
  const expect = async (content: readonly Buffer[], ...texts: readonly RegExp[]): Promise<void> => {
    const { status, out } = await verdict(content)
    const lines = out.trimEnd().split('\n')
    assert.equal(status, 1, out)
    assert.equal(lines.length, texts.length, out)
    for (const [index, line] of lines.entries()) assert.match(line, texts[index] ?? /^$/)
  }
  const at = (seq: number): string => `number ${seq} of 2023-11-14T22:13:20.${seq + 1}00000000Z`
  await expect(
    [m0, m1, m4, m5, m6, end],
    new RegExp(`: damaged: messages number 2 to 3 are missing before ${at(4)}, at byte \\d+ `),
  )
  await expect([m1, m2, m3, m4, m5, m6, end], /message number 0 is missing before number 1 of/)
  await expect([m0, m1, m3, m2, m4, m5, m6, end], new RegExp(`a message is not in its place: ${at(2)}, at byte`))
  await expect(
    [m0, m1, m2, m2, m3, m4, m5, m6, end],
    new RegExp(`a message stands here again, or was inserted: ${at(2)}`),
  )
  const [plain] = messagesOf([packed(records.slice(0, 1))])
  assert.ok(plain)
  await expect([m0, m1, plain, m2, m3, m4, m5, m6, end], /a message without a number was inserted: one of 2023/)
  await expect([plain, m0, m1, m2, m3, m4, m5, m6, end], /a message without a number was inserted/)
  await expect([...messages, m6], /a message stands behind the end of the log/, /a message stands here again/)
  const wrong = Buffer.from(m2)
  wrong.set(Buffer.from('fake'), wrong.indexOf('make'))
  await expect(
    [m0, m1, wrong, m3, m4, m5, m6, end],
    new RegExp(`are not as written: from ${at(1)} to ${at(3)}, at byte`),
  )
  const forged = Buffer.from(end)
  forged[forged.length - 1] = (forged.at(-1) ?? 0) ^ 1
  await expect([...messages.slice(0, -1), forged], /the signature does not fit the last message/)
})

test('a log spliced from two, or with the name of another, is found', async () => {
  const id = 'f'.repeat(32)
  const other = chained(batches, signer, id)
  const spliced = await verdict([...sealed.slice(0, 2), ...other.slice(2)])
  assert.equal(spliced.status, 1)
  assert.match(spliced.out, /a message of connection f{32}: number 4/)
  const renamed = await audit('verify', fileOf(`${id}.bin`, rawLog(sealed)))
  assert.equal(renamed.status, 1)
  assert.match(renamed.out, new RegExp(`the log of connection ${connectionId} has the name of another\n$`))
  // The same connection, told twice: the numbers fit, the hashes do not.
  const again = chained([batches[0] ?? [], records.slice(1, 4).toReversed(), batches[2] ?? []], signer)
  assert.equal((await verdict([...sealed.slice(0, 2), ...again.slice(2)])).status, 1)
})

type Change = (content: readonly Buffer[], a: number, b: number) => Buffer[]
const changes: Readonly<Record<string, Change>> = {
  'a byte': (content, a, b) => {
    const all = Buffer.concat(content)
    all[a % all.length] = (all[a % all.length] ?? 0) ^ ((b % 255) + 1)
    return [all]
  },
  removal: (content, a, b) => content.toSpliced(a % content.length, 1 + (b % 3)),
  repetition: (content, a, b) =>
    content.toSpliced(a % (content.length + 1), 0, content[b % content.length] ?? Buffer.of()),
  order: (content, a, b) => {
    const from = a % content.length
    const rest = content.toSpliced(from, 1)
    return rest.toSpliced((from + 1 + (b % rest.length)) % content.length, 0, content[from] ?? Buffer.of())
  },
  cut: (content, a) => {
    const all = Buffer.concat(content)
    return [all.subarray(0, a % all.length)]
  },
}

test('a signed log that was changed in any way is not taken for intact', async () => {
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...Object.keys(changes)), fc.nat(), fc.nat(), async (name, a, b) => {
      const content = changes[name]?.(messages, a, b) ?? []
      const isSame = Buffer.concat(content).equals(Buffer.concat(messages))
      const { status, out } = await verdict(content)
      assert.equal(status === 0, isSame, `${name}: ${out}`)
    }),
    { numRuns: 500 },
  )
})

test('damage of the file itself is damage', async () => {
  const log = rawLog(sealed)
  log[headerBytes + 60] = (log[headerBytes + 60] ?? 0) ^ 0x55
  const { status, out } = await audit('verify', fileOf('rot', log))
  assert.equal(status, 1)
  assert.match(out, /: damaged: byte \d+: expected/)
})
