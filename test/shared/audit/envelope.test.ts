import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { Decrypter, generateHybridIdentity, generateX25519Identity, identityToRecipient } from 'age-encryption'
import fc from 'fast-check'
import { mostSealedBytes, newEnvelope, seal } from '../../../src/shared/audit/envelope.ts'
import { ageIdentities, ageRecipient, recipientProblem } from '../../../src/shared/audit/envelope-keys.ts'
import { openLog } from '../../../src/shared/audit/envelope-reader.ts'
import { fromBech32, toBech32 } from '../../../src/shared/bech32.ts'
import { golden } from './rig.ts'

const identity = await generateX25519Identity()
const recipient = await identityToRecipient(identity)
const other = await generateX25519Identity()

/** As the pool writes it: the last piece ends the log. */
async function sealedLog(pieces: readonly Uint8Array[], recipients = [recipient], endsWell = true): Promise<Buffer[]> {
  const { head, state: first } = await newEnvelope(recipients)
  const records = [Buffer.from(head)]
  let state = first
  pieces.forEach((piece, index) => {
    const sealed = seal(structuredClone(state), piece, endsWell && index === pieces.length - 1)
    records.push(Buffer.from(sealed.bytes))
    state = sealed.state
  })
  return records
}
async function opened(pieces: readonly Uint8Array[], identities: readonly string[] = [identity]) {
  async function* chunks() {
    yield* pieces
  }
  const log = openLog(chunks(), identities)
  const content: Uint8Array[] = []
  for await (const chunk of log.chunks) content.push(Uint8Array.from(chunk))
  return { content: Buffer.concat(content), kind: log.problem?.kind, offset: log.problem?.offset, isWhole: log.isWhole }
}
const pieces = ['the header', 'a member', '', 'the end'].map((text) => Buffer.from(text))
const whole = Buffer.concat(pieces)

test('each recipient can open the log, in whatever pieces it comes, and nobody else', async () => {
  const hybrid = await generateHybridIdentity()
  const log = Buffer.concat(await sealedLog(pieces, [recipient, await identityToRecipient(hybrid)]))
  for (const one of [identity, hybrid]) {
    assert.deepEqual(await opened([log], [other, one]), {
      content: whole,
      kind: undefined,
      offset: undefined,
      isWhole: true,
    })
  }
  const bytes = [...log].map((byte) => Uint8Array.of(byte))
  assert.deepEqual((await opened(bytes)).content, whole)
  assert.deepEqual(await opened([log], [other]), {
    content: Buffer.of(),
    kind: 'encrypted',
    offset: 44,
    isWhole: false,
  })
  assert.deepEqual(await opened([log], []), { content: Buffer.of(), kind: 'encrypted', offset: 0, isWhole: false })
  assert.equal(log.includes('a member'), false)
})

test('the key of the log is in a file that age itself reads', async () => {
  const [head] = await sealedLog([])
  const decrypter = new Decrypter()
  decrypter.addIdentity(identity)
  const key = await decrypter.decrypt(Uint8Array.from((head ?? Buffer.of()).subarray(44)))
  assert.equal(key.length, 32)
  assert.equal(head?.toString('latin1', 44, 65), 'age-encryption.org/v1')
  const [again] = await sealedLog([])
  const second = new Decrypter()
  second.addIdentity(identity)
  assert.notDeepEqual(await second.decrypt(Uint8Array.from((again ?? Buffer.of()).subarray(44))), key)
})

test('a log that is not encrypted is passed on as it is', async () => {
  const log = golden('reference-0.6-exec-echo.auditlog')
  for (const each of [log, Buffer.of(), log.subarray(0, 10)]) {
    assert.deepEqual(await opened([each], []), {
      content: each,
      kind: undefined,
      offset: undefined,
      isWhole: undefined,
    })
  }
})

test('any change of a byte is found, and what stands before it can be read', async () => {
  const records = await sealedLog(pieces)
  const log = Buffer.concat(records)
  const head = records[0]?.length ?? 0
  await fc.assert(
    fc.asyncProperty(fc.nat(log.length - 1), fc.integer({ min: 1, max: 255 }), async (at, change) => {
      const changed = Buffer.from(log)
      changed[at] = (changed[at] ?? 0) ^ change
      const { content, kind, isWhole } = await opened([changed])
      // Without its name it is some other file, and decoders say so.
      if (at < 32) assert.deepEqual([content, isWhole], [changed, undefined])
      else {
        assert.notEqual(kind, undefined)
        assert.equal(isWhole, false)
        assert.deepEqual(content, whole.subarray(0, content.length))
        if (at >= head + (records[1]?.length ?? 0)) assert.ok(content.length >= (pieces[0]?.length ?? 0))
      }
    }),
    { numRuns: 300 },
  )
})

test('records that were removed, doubled, swapped or are from another log are found', async () => {
  const [head, a, b, c, d] = await sealedLog(pieces)
  assert.ok(head && a && b && c && d)
  const [, foreign] = await sealedLog(pieces)
  assert.ok(foreign)
  for (const wrong of [[a, c, d], [a, a, b, c, d], [b, a, c, d], [foreign, b, c, d], [a, b, c, d, d], [d]]) {
    const { kind, isWhole } = await opened([Buffer.concat([head, ...wrong])])
    assert.deepEqual([kind, isWhole], ['envelope', false])
  }
})

test('wherever a log is cut, its end is missed; between two records nothing else is wrong', async () => {
  const records = await sealedLog(pieces)
  const log = Buffer.concat(records)
  const ends = new Set<number>()
  let end = 0
  for (const record of records) {
    end += record.length
    ends.add(end)
  }
  for (let length = 32; length < log.length; length++) {
    const { kind, isWhole } = await opened([log.subarray(0, length)])
    assert.deepEqual([kind, isWhole], [ends.has(length) ? undefined : 'truncated', false], `${length} bytes`)
  }
})

test('a record that no reader would take is not written', async () => {
  const { state } = await newEnvelope([recipient])
  assert.throws(() => seal(state, new Uint8Array(mostSealedBytes), false), RangeError)
})

test('X25519 keys of other programs are recipients and identities, too', async () => {
  const pair = generateKeyPairSync('x25519')
  const raw = Buffer.from(pair.publicKey.export({ format: 'jwk' }).x ?? '', 'base64url').toString('base64')
  const pem = pair.publicKey.export({ format: 'pem', type: 'spki' }).toString()
  const [mine] = ageIdentities(pair.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString())
  for (const form of [raw, pem, ageRecipient(raw).toUpperCase()]) {
    assert.equal(ageRecipient(form), await identityToRecipient(mine ?? ''))
    assert.deepEqual((await opened(await sealedLog(pieces, [form]), [mine ?? ''])).content, whole)
  }
})

test('what is no recipient is refused with what is wrong, and a secret is not quoted', () => {
  const pair = generateKeyPairSync('x25519')
  const ed25519 = generateKeyPairSync('ed25519').publicKey.export({ format: 'pem', type: 'spki' }).toString()
  const cases: readonly (readonly [string, RegExp])[] = [
    ['', /^is no key; expected an age recipient/],
    ['ssh-ed25519 AAAA', /^is no key/],
    ['AAAA', /^is no key/],
    [identity, /^is a secret key/],
    [pair.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(), /^is a private key/],
    [ed25519, /^is no X25519 key/],
    ['-----BEGIN PUBLIC KEY-----', /^is no X25519 key/],
    [`${recipient.slice(0, -1)}${recipient.endsWith('q') ? 'p' : 'q'}`, /^is not a whole age recipient/],
    [toBech32('age', Buffer.alloc(31)), /^is of a kind that is not known/],
    [toBech32('age1x', Buffer.alloc(32)), /^is of a kind that is not known/],
  ]
  for (const [text, problem] of cases) {
    assert.match(recipientProblem(text) ?? '', problem)
    assert.doesNotMatch(recipientProblem(text) ?? '', /AGE-SECRET|BEGIN/)
  }
  assert.equal(recipientProblem(recipient), undefined)
})

test('a file of identities is read as age-keygen writes it, or it is said what is wrong with which line', () => {
  assert.deepEqual(ageIdentities(`# created\n# public key: ${recipient}\n${identity}\n\n${other.toLowerCase()}\r\n`), [
    identity,
    other,
  ])
  assert.throws(() => ageIdentities('# nothing\n'), /found none$/)
  assert.throws(() => ageIdentities(`${identity}\n${recipient}\n`), /^Error: line 2: expected an age identity/)
  assert.throws(() => ageIdentities('-----BEGIN PRIVATE KEY-----\nAAAA\n'), /^Error: expected an X25519 private key/)
})

test('bech32 gives back what it was made of, and notices one wrong character', () => {
  // BIP 173, test vectors.
  for (const text of ['A12UEL5L', 'abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw'])
    assert.notEqual(fromBech32(text), undefined)
  for (const text of ['A12uEL5L', '1nwldj5', 'A1G7SGD8', 'x1b4n0q5v']) assert.equal(fromBech32(text), undefined)
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 1, maxLength: 60 }),
      fc.nat(),
      fc.integer({ min: 1, max: 31 }),
      (bytes, at, by) => {
        const text = toBech32('age', bytes)
        assert.deepEqual(fromBech32(text), { prefix: 'age', bytes: Buffer.from(bytes) })
        const alphabet = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l'
        const index = 4 + (at % (text.length - 4))
        const wrong = alphabet[alphabet.indexOf(text[index] ?? '') ^ by] ?? ''
        assert.equal(fromBech32(text.slice(0, index) + wrong + text.slice(index + 1)), undefined)
      },
    ),
  )
})
