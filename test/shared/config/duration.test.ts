import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { formatDuration, parseDuration } from '../../../src/shared/config/duration.ts'

test('durations are read as Go reads them', () => {
  for (const [text, ms] of [
    ['0', 0],
    ['5s', 5000],
    ['1m30s', 90_000],
    ['1h30m', 5_400_000],
    ['1.5h', 5_400_000],
    ['100ms', 100],
    ['.5s', 500],
    ['1.s', 1000],
    ['-2s', -2000],
    ['+2s', 2000],
    ['3us', 0.003],
    ['3µs', 0.003],
    ['7ns', 0.000007],
  ] as const) {
    assert.equal(parseDuration(text), ms, text)
  }
})

test('what is no duration is refused', () => {
  for (const text of [
    '',
    '5',
    '5x',
    's',
    '.s',
    '1d',
    '5 s',
    ' 5s',
    '1m 30s',
    '1e3s',
    '--1s',
    '5s\n',
    `${'1'.repeat(200)}s`,
  ]) {
    assert.equal(parseDuration(text), undefined, JSON.stringify(text))
  }
})

test('durations are printed as Go prints them', () => {
  for (const [ms, text] of [
    [0, '0s'],
    [60_000, '1m0s'],
    [2000, '2s'],
    [5_400_000, '1h30m0s'],
    [500, '500ms'],
    [1500, '1.5s'],
    [0.0015, '1.5µs'],
    [0.000001, '1ns'],
    [-60_000, '-1m0s'],
  ] as const) {
    assert.equal(formatDuration(ms), text)
  }
})

test('a printed duration reads back as itself', () => {
  fc.assert(
    fc.property(fc.integer({ min: -(2 ** 50), max: 2 ** 50 }), (nanoseconds) => {
      const ms = nanoseconds / 1e6
      const again = parseDuration(formatDuration(ms))
      assert.equal(Math.round((again ?? Number.NaN) * 1e6), nanoseconds)
    }),
  )
})
