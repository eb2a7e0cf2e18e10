import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createPenalties, type Penalties } from '../../src/primary/penalties.ts'
import { defaults } from '../../src/shared/config/schema.ts'
import { offences } from '../../src/shared/ipc/outcome.ts'

const base = defaults().ssh.penalties
const blocks = { ipv4: 32, ipv6: 64 }
const make = (changes: Partial<typeof base> = {}) => {
  const clock = { now: 1000 }
  return { clock, penalties: createPenalties({ ...base, ...changes }, blocks, () => clock.now) }
}
const isRefused = (penalties: Penalties, address: string): boolean => penalties.penaltyOf(address) !== undefined

test('penalties add up; beyond min the source is refused until all of it is over', () => {
  const { clock, penalties } = make()
  for (let i = 0; i < 3; i++) assert.equal(penalties.punish('192.0.2.1', 'auth-failed'), undefined)
  assert.equal(isRefused(penalties, '192.0.2.1'), false)
  assert.deepEqual(penalties.punish('192.0.2.1', 'no-auth'), { source: '192.0.2.1', durationMs: 16_000 })
  assert.deepEqual(penalties.penaltyOf('192.0.2.1'), { offence: 'no-auth', leftMs: 16_000 })
  clock.now += 15_999
  assert.equal(isRefused(penalties, '192.0.2.1'), true)
  clock.now += 1
  assert.equal(isRefused(penalties, '192.0.2.1'), false)
})

test('a source that behaves for as long as its penalties lasted begins anew', () => {
  const { clock, penalties } = make()
  for (let i = 0; i < 50; i++) {
    penalties.punish('192.0.2.1', 'auth-failed')
    clock.now += 5000
    assert.equal(isRefused(penalties, '192.0.2.1'), false)
  }
})

test('the longest penalty is max', () => {
  const { clock, penalties } = make({ max: 60_000 })
  for (let i = 0; i < 1000; i++) penalties.punish('192.0.2.1', 'protocol-error')
  assert.equal(penalties.penaltyOf('192.0.2.1')?.leftMs, 60_000)
  clock.now += 60_000
  assert.equal(isRefused(penalties, '192.0.2.1'), false)
})

test('an IPv6 network is one source', () => {
  const { penalties } = make({ min: 0 })
  penalties.punish('2001:db8:1:2::1', 'auth-failed')
  assert.equal(isRefused(penalties, '2001:db8:1:2:ffff::'), true)
  assert.equal(isRefused(penalties, '2001:db8:1:3::1'), false)
})

test('exempt networks, durations of 0 and enable: false mean no penalty', () => {
  const exempt = make({ min: 0, exempt: ['192.0.2.0/24', '2001:db8::/32'] }).penalties
  const without = make({ min: 0, authFail: 0 }).penalties
  const off = make({ min: 0, enable: false }).penalties
  for (const penalties of [exempt, without, off]) {
    for (const address of ['192.0.2.1', '2001:db8::1']) {
      penalties.punish(address, 'auth-failed')
      assert.equal(isRefused(penalties, address), false)
    }
    assert.equal(penalties.size, 0)
  }
  exempt.punish('192.0.3.1', 'auth-failed')
  assert.equal(isRefused(exempt, '192.0.3.1'), true)
})

test('permissive: when there are too many sources the shortest penalties are forgotten', () => {
  const { penalties } = make({ min: 0, maxSources4: 3 })
  penalties.punish('192.0.2.1', 'no-auth')
  for (const last of [2, 3, 4]) penalties.punish(`192.0.2.${last}`, 'auth-failed')
  assert.equal(isRefused(penalties, '192.0.2.1'), false)
  for (const last of [2, 3, 4]) assert.equal(isRefused(penalties, `192.0.2.${last}`), true)
})

test('deny-all: when there are too many sources everybody of that family is refused, until one is free', () => {
  const { clock, penalties } = make({ maxSources4: 2, overflow: 'deny-all' })
  penalties.punish('192.0.2.1', 'no-auth')
  penalties.punish('192.0.2.2', 'auth-failed')
  assert.deepEqual(penalties.penaltyOf('198.51.100.1'), { offence: 'overflow', leftMs: 0 })
  assert.equal(isRefused(penalties, '2001:db8::1'), false)
  penalties.punish('192.0.2.3', 'auth-failed')
  assert.equal(penalties.size, 2)
  clock.now += 1001
  assert.equal(isRefused(penalties, '198.51.100.1'), false)
})

test('memory is bounded whatever happens, and returns', () => {
  const event = fc.record({
    host: fc.nat(5000),
    offence: fc.constantFrom(...offences),
    wait: fc.constantFrom(0, 0, 0, 10, 2000),
  })
  fc.assert(
    fc.property(fc.array(event, { maxLength: 500 }), (events) => {
      const { clock, penalties } = make({ maxSources4: 20, refuseConnection: 10_000 })
      for (const { host, offence, wait } of events) {
        clock.now += wait
        penalties.punish(`10.0.${host >> 8}.${host & 255}`, offence)
        assert.ok(penalties.size <= 20)
      }
      clock.now += base.max + 1001
      penalties.penaltyOf('10.0.0.1')
      assert.equal(penalties.size, 0)
    }),
  )
})
