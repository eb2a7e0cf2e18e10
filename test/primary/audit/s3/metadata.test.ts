/** The file beside a log: what was written is read, and whatever else stands there does no harm. */
import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import fc from 'fast-check'
import { readMemory, writeMemory } from '../../../../src/primary/audit/s3/metadata.ts'
import { headerValue } from '../../../../src/primary/audit/s3/object.ts'
import { Fault } from '../../../../src/shared/codes/fault.ts'

const folder = mkdtempSync(join(tmpdir(), 'containerssh-metadata-'))
after(() => rmSync(folder, { recursive: true }))
const path = join(folder, 'log')

const plain = { noNullPrototype: true }
const facts = fc.record(
  {
    startTime: fc.integer({ min: 0, max: 2 ** 40 }),
    remoteAddr: fc.oneof(fc.ipV4(), fc.ipV6()),
    authenticated: fc.boolean(),
    username: fc.string({ unit: 'binary' }),
    country: fc.constantFrom('XX', 'HU'),
  },
  plain,
)
const begun = fc.record({ id: fc.string({ minLength: 1 }), partBytes: fc.integer({ min: 1 }) }, plain)
const upload = fc.option(begun, { nil: undefined })

test('what is written is read again, in a file for its owner only, and nothing else is left', async () => {
  await fc.assert(
    fc.asyncProperty(facts, fc.constantFrom('binary', 'asciinema'), upload, async (its, format, itsUpload) => {
      const memory = { facts: its, format, upload: itsUpload }
      await writeMemory(path, 'log', memory)
      assert.deepEqual(await readMemory(path, 'log'), memory)
    }),
    { numRuns: 50 },
  )
  assert.equal(statSync(`${path}.metadata.json`).mode & 0o777, 0o600)
  assert.deepEqual(readdirSync(folder), ['log.metadata.json'])
})

test('whatever the file holds, it is metadata or a failure that names the log', async () => {
  const json = fc.oneof(
    fc.json(),
    fc
      .dictionary(
        fc.constantFrom('startTime', 'remoteAddr', 'username', 'uploadId', 'partSize', '__proto__'),
        fc.jsonValue(),
      )
      .map((value) => JSON.stringify(value)),
    fc.string(),
  )
  await fc.assert(
    fc.asyncProperty(json, async (text) => {
      writeFileSync(`${path}.metadata.json`, text)
      try {
        const { facts: its, upload: begun } = await readMemory(path, 'log')
        assert.ok(Number.isSafeInteger(its.startTime))
        for (const value of [its.remoteAddr, its.username, its.country]) assert.equal(typeof value, 'string')
        assert.ok(begun === undefined || (begun.id !== '' && begun.partBytes > 0))
      } catch (error) {
        assert.ok(error instanceof Fault, String(error))
        assert.deepEqual([error.code, error.labels['log']], ['AUDIT_S3_FAILED_READING_METADATA_FILE', 'log'])
      }
    }),
    { numRuns: 200 },
  )
})

test('a link that somebody put in the way is not written through', async () => {
  const victim = join(folder, 'victim')
  writeFileSync(victim, 'untouched')
  symlinkSync(victim, `${path}.metadata.json.tmp`)
  const its = { startTime: 0, remoteAddr: '', authenticated: false, username: '', country: '' }
  await assert.rejects(
    writeMemory(path, 'log', { facts: its, format: 'binary', upload: undefined }),
    /cannot be created/,
  )
  assert.equal(readFileSync(victim, 'utf8'), 'untouched')
})

test('values of headers are printable, short, and can be decoded', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 80 }), (text) => {
      const value = headerValue(text)
      assert.match(value, /^([!-~]( ?[!-~])*)?$/)
      assert.equal(decodeURIComponent(value), text.toWellFormed())
    }),
  )
  fc.assert(fc.property(fc.string({ unit: 'binary', minLength: 1100 }), (text) => headerValue(text).length <= 1026))
})
