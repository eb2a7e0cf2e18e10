import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { firstJsonValue } from '../../../src/shared/webhook/json.ts'

describe('JSON', () => {
  test('the first value counts, what follows an object is ignored', () => {
    assert.deepEqual(firstJsonValue('{"a":"}\\"{"} {"b":1}'), { a: '}"{' })
    assert.deepEqual(firstJsonValue(' {"a":[{}]}garbage'), { a: [{}] })
    assert.equal(firstJsonValue('null'), null)
  })

  test('errors say nothing of the text', () => {
    for (const source of ['', '  ', 'topsecret', '{"a":topsecret}', '{"topsecret"', '{topsecret}{}']) {
      assert.throws(
        () => firstJsonValue(source),
        (error: Error) => !error.message.includes('topsecret'),
      )
    }
  })

  test('what it finds is what JSON.parse finds, whatever follows', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.string(), (value, more) => {
        assert.deepEqual(firstJsonValue(JSON.stringify(value) + more), JSON.parse(JSON.stringify(value)))
      }),
    )
  })
})
