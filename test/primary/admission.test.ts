import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Admission, createAdmission, sourceOf } from '../../src/primary/admission.ts'

const none = { maxConnections: 0, maxConnectionsPerSource: 0, maxStartups: 0, maxStartupsPerSource: 0 }
const admitted = (admission: Admission, address: string): number => {
  const decision = admission.admit(address)
  assert.ok(decision.admitted)
  return decision.ticket
}
const refused = (admission: Admission, address: string, reason: RegExp): void => {
  const decision = admission.admit(address)
  assert.ok(!decision.admitted)
  assert.match(decision.reason, reason)
}

test('zero means no limit', () => {
  const admission = createAdmission(none)
  for (let i = 0; i < 5000; i++) admitted(admission, '192.0.2.1')
  assert.equal(admission.connections, 5000)
})

test('beyond the limit of connections nobody is admitted until one has closed', () => {
  const admission = createAdmission({ ...none, maxConnections: 2 })
  const first = admitted(admission, '192.0.2.1')
  admission.authenticated(admitted(admission, '192.0.2.2'))
  refused(admission, '192.0.2.3', /^too many connections$/)
  admission.closed(first)
  admitted(admission, '192.0.2.3')
})

test('the limit of one source leaves the others alone', () => {
  const admission = createAdmission({ ...none, maxConnectionsPerSource: 1 })
  admission.authenticated(admitted(admission, '192.0.2.1'))
  refused(admission, '192.0.2.1', /from this address$/)
  admitted(admission, '192.0.2.2')
})

test('a login makes room for the next handshake, in total and of its source', () => {
  const total = createAdmission({ ...none, maxStartups: 1 })
  const ticket = admitted(total, '192.0.2.1')
  refused(total, '192.0.2.2', /not logged in/)
  total.authenticated(ticket)
  admitted(total, '192.0.2.2')
  const perSource = createAdmission({ ...none, maxStartupsPerSource: 1 })
  const other = admitted(perSource, '192.0.2.1')
  refused(perSource, '192.0.2.1', /this address that have not logged in/)
  admitted(perSource, '192.0.2.2')
  perSource.authenticated(other)
  admitted(perSource, '192.0.2.1')
})

test('a refused connection is not counted', () => {
  const admission = createAdmission({ ...none, maxConnections: 1 })
  const ticket = admitted(admission, '192.0.2.1')
  for (let i = 0; i < 10; i++) refused(admission, `192.0.2.${i}`, /./)
  admission.closed(ticket)
  assert.deepEqual([admission.connections, admission.startups, admission.sources], [0, 0, 0])
})

test('repeated, late and unknown reports change nothing', () => {
  const admission = createAdmission(none)
  const ticket = admitted(admission, '192.0.2.1')
  admission.authenticated(ticket)
  admission.authenticated(ticket)
  admission.authenticated(999)
  assert.equal(admission.startups, 0)
  admission.closed(ticket)
  admission.closed(ticket)
  admission.authenticated(ticket)
  assert.deepEqual([admission.connections, admission.startups, admission.sources], [0, 0, 0])
})

test('whatever happens in whatever order, the counts are those of the open connections', () => {
  const step = fc.record({ act: fc.constantFrom('admit', 'authenticated', 'closed'), n: fc.nat(20) })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const admission = createAdmission({ ...none, maxConnections: 15, maxStartupsPerSource: 4 })
      const open = new Map<number, { source: number; authenticated: boolean }>()
      for (const { act, n } of steps) {
        if (act === 'admit') {
          const decision = admission.admit(`192.0.2.${n % 3}`)
          if (decision.admitted) open.set(decision.ticket, { source: n % 3, authenticated: false })
        } else if (act === 'authenticated') {
          admission.authenticated(n)
          const one = open.get(n)
          if (one !== undefined) one.authenticated = true
        } else {
          admission.closed(n)
          open.delete(n)
        }
        const all = [...open.values()]
        assert.equal(admission.connections, all.length)
        assert.equal(admission.startups, all.filter((one) => !one.authenticated).length)
        assert.equal(admission.sources, new Set(all.map((one) => one.source)).size)
        assert.ok(admission.connections <= 15)
      }
    }),
  )
})

test('the addresses of one IPv6 network of 64 bits are one source, however they are written', () => {
  for (const address of [
    '2001:db8:1:2::1',
    '2001:db8:1:2:ffff:ffff:ffff:ffff',
    '2001:0db8:0001:0002::',
    '2001:db8:1:2:3::4',
  ]) {
    assert.equal(sourceOf(address), '2001:db8:1:2::/64', address)
  }
  assert.equal(sourceOf('2001:db8:1:3::1'), '2001:db8:1:3::/64')
  assert.equal(sourceOf('2001:db8::1'), '2001:db8:0:0::/64')
  assert.equal(sourceOf('2001:db8::2:3:4:5'), '2001:db8:0:0::/64')
  assert.equal(sourceOf('2001:db8::2:3:4:5:6'), '2001:db8:0:2::/64')
  assert.equal(sourceOf('::1'), '0:0:0:0::/64')
  assert.equal(sourceOf('fe80::1%eth0'), 'fe80:0:0:0::/64')
  assert.equal(sourceOf('64:ff9b::192.0.2.1'), '64:ff9b:0:0::/64')
  assert.equal(sourceOf('192.0.2.1'), '192.0.2.1')
})
