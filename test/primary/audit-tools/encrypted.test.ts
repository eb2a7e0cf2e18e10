import assert from 'node:assert/strict'
import { test } from 'node:test'
import { generateX25519Identity, identityToRecipient } from 'age-encryption'
import { signerOf } from '../../../src/shared/audit/chain-closing.ts'
import { newEnvelope, seal } from '../../../src/shared/audit/envelope.ts'
import { compressed, logEnd, logHeader } from '../../../src/shared/audit/file-format.ts'
import { generateHostKey } from '../../../src/shared/private-key.ts'
import { chained } from '../../shared/audit/rig.ts'
import { audit, fileOf, session } from './rig.ts'

const identity = await generateX25519Identity()
const { records } = session().exec('make').io(1, 'all: done\n').exit(0)
const signed = chained([records.slice(0, 2), records.slice(2)], signerOf([await generateHostKey('host')]))
const plain = [Buffer.from(logHeader()), ...signed.map((batch) => compressed(batch, 'zstd')), logEnd('zstd')]

async function sealed(pieces: readonly Uint8Array[]): Promise<Buffer[]> {
  const { head, state: first } = await newEnvelope([await identityToRecipient(identity)])
  let state = first
  return [
    Buffer.from(head),
    ...pieces.map((piece, index) => {
      const { bytes, state: next } = seal(state, piece, index === pieces.length - 1)
      state = next
      return Buffer.from(bytes)
    }),
  ]
}
const envelope = await sealed(plain)
const identityFile = fileOf('identity', Buffer.from(`# created: today\n${identity}\n`))
const file = fileOf('sealed', Buffer.concat(envelope))
const read = (...words: readonly string[]) => audit(...words, '--identity', identityFile, file)

test('every tool reads an encrypted log with its identity', async () => {
  for (const [words, expected] of [
    [['decode'], /"typeId":"disconnect"/],
    [['cast'], /all: done/],
    [['text'], /^all: done\n$/],
    [['follow'], /^all: done\n$/],
    [['grep', 'done'], /all: done/],
    [['info'], /"program":"exec: make"/],
    [['verify'], /: intact: 4 messages/],
    [['html'], /all: done/],
  ] as const) {
    const { status, out, err } = await read(...words)
    assert.match(out, expected)
    assert.deepEqual([status, err], [0, ''])
  }
  assert.deepEqual((await read('decrypt')).bytes, Buffer.concat(plain))
})

test('without an identity, with another or with a damaged file, it is said what is missing', async () => {
  const none = await audit('decode', file)
  assert.deepEqual([none.status, none.out], [1, ''])
  assert.equal(none.err, `${file}: byte 0: expected an identity, as the log is encrypted, found none; see --identity\n`)
  const other = fileOf('other', Buffer.from(await generateX25519Identity()))
  const wrong = await audit('text', '--identity', other, file)
  assert.deepEqual([wrong.status, wrong.out], [1, ''])
  assert.match(wrong.err, /byte 44: expected a log for this identity, found /)
  const noFile = await audit('grep', '--identity', '/nonexistent/key', 'x', file)
  assert.deepEqual(
    [noFile.status, noFile.err],
    [2, '/nonexistent/key: expected a readable file, found: no such file\n'],
  )
  const damaged = fileOf('damaged-identity', Buffer.from(identity.slice(0, -1)))
  const { status, err } = await audit('info', '--identity', damaged, file)
  assert.deepEqual(
    [status, err],
    [1, `${damaged}: line 1: expected an age identity (AGE-SECRET-KEY-1…), found something else\n`],
  )
})

test('an encrypted log that was cut gives what is there, and verify and decrypt say that its end is missing', async () => {
  const cut = fileOf('cut', Buffer.concat(envelope.slice(0, 3)))
  const text = await audit('text', '--identity', identityFile, cut)
  assert.deepEqual([text.status, text.out, text.err], [0, 'all: done\n', ''])
  const verified = await audit('verify', '--identity', identityFile, cut)
  assert.equal(verified.status, 4)
  const decrypted = await audit('decrypt', '--identity', identityFile, cut)
  assert.equal(decrypted.status, 1)
  assert.match(decrypted.err, /the log is cut off: expected its last record, found the end of the file/)
  const swapped = fileOf('swapped', Buffer.concat([0, 1, 3, 2, 4].map((index) => envelope[index] ?? Buffer.of())))
  assert.equal((await audit('verify', '--identity', identityFile, swapped)).status, 1)
})

test('an encrypted asciicast is decrypted, too', async () => {
  const cast = Buffer.from('{"version":2}\n[0.1,"o","x"]\n')
  const log = fileOf('cast', Buffer.concat(await sealed([cast.subarray(0, 14), cast.subarray(14)])))
  const { status, out } = await audit('decrypt', '--identity', identityFile, log)
  assert.deepEqual([status, out], [0, cast.toString()])
  assert.match((await audit('decrypt', fileOf('plain', cast))).err, /expected an encrypted log, found another file/)
})

test('of an encrypted log with a damaged record, all others are recovered', async () => {
  const [head, header, first, second, ...rest] = envelope
  assert.ok(head && header && first && second)
  const broken = Buffer.from(first)
  broken[20] = (broken[20] ?? 0) ^ 1
  const log = fileOf('broken', Buffer.concat([head, header, broken, second, ...rest]))
  const plainly = await audit('decode', '--identity', identityFile, log)
  assert.deepEqual([plainly.status, plainly.out], [1, ''])
  assert.match(plainly.err, /: expected record 1 of the envelope, as it was sealed, found another or changed one\n$/)
  const { status, out, err } = await audit('decode', '--recover', '--identity', identityFile, log)
  assert.equal(status, 1)
  assert.match(err, /expected record 1 of the envelope.*; skipped it\n$/)
  const types = out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line).typeId)
  assert.deepEqual(types, ['exit', 'disconnect'])
})
