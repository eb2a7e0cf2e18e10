import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { createLastWordReader, newWord } from '../../../../src/workers/backends/guest/last-word.ts'

const word = '0123456789abcdef'
const lastWord = (code: number | string): string => `\x1e${word}${code}\x1e`

function reader() {
  const parts: Buffer[] = []
  const codes: number[] = []
  const one = createLastWordReader(
    word,
    (bytes) => void parts.push(Buffer.from(bytes)),
    (code) => void codes.push(code),
  )
  const text = (): string => Buffer.concat(parts).toString('latin1')
  /** Lent bytes: whoever keeps them finds them overwritten. */
  const push = (bytes: string | Uint8Array): void => {
    const lent = Buffer.from(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes)
    one.push(lent)
    lent.fill(0x21)
  }
  return { push, end: one.end, text, codes }
}

describe('the last word on an output', () => {
  test('ends it with the exit code, is no part of it, and nothing comes after it', () => {
    const { push, end, text, codes } = reader()
    push(`all of it\n${lastWord(42)}and more`)
    push('and more')
    end()
    assert.deepEqual([text(), codes], ['all of it\n', [42]])
  })

  test('is found however the output comes in parts, and the output is whole', () => {
    const piece = fc.constantFrom('\x1e', `\x1e${word}`, `\x1e${word.slice(0, 5)}`, word, lastWord('x'), 'a', '\0\n')
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 20 }), fc.nat(255), fc.array(fc.nat(9)), (pieces, code, sizes) => {
        const output = pieces.join('')
        const { push, end, text, codes } = reader()
        let rest = output + lastWord(code)
        for (const size of sizes) {
          push(rest.slice(0, size))
          rest = rest.slice(size)
        }
        push(rest)
        end()
        assert.deepEqual([text(), codes], [output, [code]])
      }),
    )
  })

  test('that never comes leaves the output as it is', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 40 })), (parts) => {
        const { push, end, text, codes } = reader()
        for (const part of parts) push(part)
        push(`\x1e${word}2`)
        end()
        assert.equal(text(), `${Buffer.concat(parts).toString('latin1')}\x1e${word}2`)
        assert.deepEqual(codes, [])
      }),
    )
  })

  test('that has not begun does not keep back what a peer waits for', async () => {
    const { push, text, codes } = reader()
    push('a packet that ends with \x1e')
    assert.equal(text(), 'a packet that ends with ')
    for (let tries = 0; tries < 500 && !text().endsWith('\x1e'); tries++) await sleep(10)
    assert.equal(text(), 'a packet that ends with \x1e')
    push(lastWord(0))
    assert.deepEqual(codes, [0])
  })

  test('is no number that cannot be an exit code, and no list of processes', () => {
    const { push, end, text, codes } = reader()
    const output = `${lastWord(256)}${lastWord('')}${lastWord('1x')} sh -c script sh ${word} /bin/true\n`
    push(output)
    end()
    assert.deepEqual([text(), codes], [output, []])
  })

  test('is another for each program', () => {
    assert.match(newWord(), /^[0-9a-f]{16}$/)
    assert.notEqual(newWord(), newWord())
  })
})
