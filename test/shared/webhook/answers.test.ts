import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { decodeAnswer, decodeInteractive } from '../../../src/shared/webhook/answers.ts'

describe('answers', () => {
  test('everything that an answer may have is read, names of properties in any case', () => {
    const answer = decodeAnswer({
      SUCCESS: true,
      authenticatedusername: 'al',
      metadata: { A: { Value: '1', sensitive: true }, B: {}, C: null },
      environment: { X: { value: 'y' } },
      files: { '/a': { value: 'aGk=' }, '/b': { value: [104, 105], sensitive: true } },
      username: 'alice',
      connectionId: 'x',
      remoteAddress: '[::1]:22',
      clientVersion: '',
    })
    assert.equal(answer.success, true)
    assert.equal(answer.authenticatedUsername, 'al')
    const plain = { value: '', sensitive: false }
    assert.deepEqual(
      [...answer.metadata],
      [
        ['A', { value: '1', sensitive: true }],
        ['B', plain],
        ['C', plain],
      ],
    )
    assert.deepEqual([...answer.environment], [['X', { value: 'y', sensitive: false }]])
    assert.deepEqual(
      [...answer.files].map(([path, { value }]) => [path, Buffer.from(value).toString()]),
      [
        ['/a', 'hi'],
        ['/b', 'hi'],
      ],
    )
  })

  test('null is absence, and absence of success is none', () => {
    for (const value of [{}, null, { success: null, metadata: null }]) {
      assert.equal(decodeAnswer(value).success, false)
      assert.equal(decodeAnswer(value).metadata.size, 0)
    }
  })

  const wrong: readonly (readonly [value: unknown, message: RegExp])[] = [
    [[], /it is not an object/],
    ['yes', /it is not an object/],
    [{ success: 'true' }, /success is not true or false/],
    [{ success: true, extra: 1 }, /"extra" is not a known property/],
    [{ metadata: { A: '1' } }, /metadata\["A"\] is not an object/],
    [{ metadata: { A: { value: 1 } } }, /metadata\["A"\]\.value is not a text/],
    [{ metadata: { A: { valeu: 'x' } } }, /"metadata\[\\"A\\"\]\.valeu" is not a known property/],
    [{ environment: { 'A=B': { value: '' } } }, /is not the name of a variable/],
    [{ files: { relative: { value: '' } } }, /is not an absolute path/],
    [{ files: { '/x': { value: 'a*b=' } } }, /files\["\/x"\]\.value is not base64/],
    [{ files: { '/x': { value: [256] } } }, /is not a list of bytes/],
    [{ remoteAddress: 'home' }, /remoteAddress is not ip:port/],
    [{ challenge: {} }, /"challenge" is not a known property/],
  ]
  for (const [value, message] of wrong) {
    test(`${JSON.stringify(value)} is refused by the name of the place`, () => {
      assert.throws(() => decodeAnswer(value), message)
    })
  }

  test('a challenge has bounds, and excludes success', () => {
    const challenge = {
      instruction: 'Code?',
      prompts: [{ text: 'Code: ' }, { text: 'Name: ', echo: true }],
      state: 's',
    }
    assert.deepEqual(decodeInteractive({ success: false, challenge }), {
      name: '',
      instruction: 'Code?',
      state: 's',
      prompts: [
        { text: 'Code: ', echo: false },
        { text: 'Name: ', echo: true },
      ],
    })
    assert.ok('success' in decodeInteractive({ success: true }))
    assert.throws(() => decodeInteractive({ success: true, challenge }), /exclude each other/)
    const prompts = Array.from({ length: 17 }, () => ({}))
    assert.throws(() => decodeInteractive({ challenge: { prompts } }), /challenge\.prompts has more than 16 entries/)
    assert.throws(() => decodeInteractive({ challenge: { state: 'x'.repeat(4097) } }), /state has more than 4096/)
  })

  test('whatever a server sends is an answer or an error that is not longer than a line of a log', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
        for (const decode of [decodeAnswer, decodeInteractive]) {
          try {
            decode(value)
          } catch (error) {
            assert.ok(error instanceof Error && error.constructor === Error, String(error))
            assert.ok(error.message.length < 300, error.message)
          }
        }
      }),
      { numRuns: 500 },
    )
  })
})
