import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it, mock } from 'node:test'
import { floodGate, type Suppressed } from '../../../src/shared/log/flood.ts'
import type { LogRecord } from '../../../src/shared/log.ts'

const INTERVAL_MS = 10_000
let told: Suppressed[] = []
const gateOf = (records: number) => {
  told = []
  return floodGate({ records, intervalMs: INTERVAL_MS, tell: (suppressed) => told.push(suppressed) })
}
const record = (remoteAddr: string | undefined, more: Partial<LogRecord> = {}): LogRecord => ({
  level: 'info',
  code: 'SSH_HANDSHAKE_FAILED',
  message: '',
  labels: remoteAddr === undefined ? {} : { remoteAddr },
  time: 0,
  ...more,
})
const admitted = (gate: ReturnType<typeof gateOf>, count: number, one: LogRecord): number =>
  Array.from({ length: count }, () => gate.admits(one)).filter(Boolean).length

describe('the limit for floods', () => {
  beforeEach(() => mock.timers.enable({ apis: ['setTimeout'] }))
  afterEach(() => mock.timers.reset())

  it('lets so many records of a code and a source pass, tells the number of the others afterwards, and begins anew', () => {
    const gate = gateOf(3)
    assert.equal(admitted(gate, 10, record('192.0.2.1')), 3)
    assert.deepEqual(told, [])
    mock.timers.tick(INTERVAL_MS)
    assert.deepEqual(told, [{ level: 'info', code: 'SSH_HANDSHAKE_FAILED', source: '192.0.2.1', count: 7 }])
    assert.equal(admitted(gate, 2, record('192.0.2.1')), 2)
    mock.timers.tick(INTERVAL_MS)
    assert.equal(told.length, 1)
  })

  it('tells sources and codes apart', () => {
    const gate = gateOf(1)
    const one = record('192.0.2.1')
    assert.equal(admitted(gate, 2, one), 1)
    assert.equal(admitted(gate, 2, record('192.0.2.2')), 1)
    assert.equal(admitted(gate, 2, { ...one, code: 'SSH_PENALTY' }), 1)
  })

  it('takes an IPv6 /64 for one source', () => {
    const gate = gateOf(2)
    const addresses = ['2001:db8::1', '2001:db8::2', '2001:db8::ffff:1']
    assert.deepEqual(
      addresses.map((address) => gate.admits(record(address))),
      [true, true, false],
    )
    assert.equal(gate.admits(record('2001:db8:0:1::1')), true)
    gate.close()
    assert.equal(told[0]?.source, '2001:db8::/64')
  })

  it('does not concern errors, logins, and what is about no source', () => {
    const gate = gateOf(1)
    const one = record('192.0.2.1')
    assert.equal(admitted(gate, 5, { ...one, level: 'error' }), 5)
    for (const code of ['SSH_AUTH_FAILED', 'SSH_AUTH_SUCCESSFUL', 'AUTH_KEY_REFUSED'] as const)
      assert.equal(admitted(gate, 5, { ...one, code }), 5)
    assert.equal(admitted(gate, 5, record(undefined)), 5)
  })

  it('can be switched off', () => {
    assert.equal(admitted(gateOf(0), 5000, record('192.0.2.1')), 5000)
  })

  it('counts sources beyond ten thousand as one', () => {
    const gate = gateOf(1)
    for (let n = 0; n < 10_000; n++) assert.equal(gate.admits(record(`10.0.${n >> 8}.${n & 255}`)), true)
    assert.equal(gate.admits(record('192.0.2.1')), true)
    assert.equal(gate.admits(record('192.0.2.2')), false)
    gate.close()
    assert.deepEqual(told, [{ level: 'info', code: 'SSH_HANDSHAKE_FAILED', source: 'many sources', count: 1 }])
  })

  it('tells at the end what was not told yet', () => {
    const gate = gateOf(1)
    admitted(gate, 3, record('192.0.2.1'))
    gate.close()
    assert.equal(told[0]?.count, 2)
    mock.timers.tick(INTERVAL_MS)
    assert.equal(told.length, 1)
  })
})
