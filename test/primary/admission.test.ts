import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Admission, createAdmission } from '../../src/primary/admission.ts'
import type { AdmissionSettings, Refusal } from '../../src/primary/limits.ts'
import { defaults } from '../../src/shared/config/schema.ts'

const none: AdmissionSettings = {
  ...defaults().ssh,
  maxConnections: 0,
  maxConnectionsPerSource: 0,
  maxStartups: 0,
  maxStartupsPerSource: 0,
}
const admitted = (admission: Admission, address: string): number => {
  const decision = admission.admit(address)
  assert.ok(decision.admitted)
  return decision.ticket
}
const refused = (admission: Admission, address: string, reason: Refusal['reason']): Refusal => {
  const decision = admission.admit(address)
  assert.ok(!decision.admitted)
  assert.equal(decision.refusal.reason, reason)
  return decision.refusal
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
  refused(admission, '192.0.2.3', 'connections')
  admission.closed(first, 'session')
  admitted(admission, '192.0.2.3')
})

test('the limit of one source leaves the others alone', () => {
  const admission = createAdmission({ ...none, maxConnectionsPerSource: 1 })
  admission.authenticated(admitted(admission, '192.0.2.1'))
  refused(admission, '192.0.2.1', 'connections_per_source')
  admitted(admission, '192.0.2.2')
})

test('a login makes room for the next handshake, in total and of its source', () => {
  const total = createAdmission({ ...none, maxStartups: 1 })
  const ticket = admitted(total, '192.0.2.1')
  refused(total, '192.0.2.2', 'startups')
  total.authenticated(ticket)
  admitted(total, '192.0.2.2')
  const perSource = createAdmission({ ...none, maxStartupsPerSource: 1 })
  const other = admitted(perSource, '192.0.2.1')
  refused(perSource, '192.0.2.1', 'startups_per_source')
  admitted(perSource, '192.0.2.2')
  perSource.authenticated(other)
  admitted(perSource, '192.0.2.1')
})

test('a refused connection is not counted', () => {
  const admission = createAdmission({ ...none, maxConnections: 1 })
  const ticket = admitted(admission, '192.0.2.1')
  for (let i = 0; i < 10; i++) refused(admission, `192.0.2.${i}`, 'connections')
  admission.closed(ticket, 'session')
  assert.deepEqual([admission.connections, admission.startups, admission.sources], [0, 0, 0])
})

test('repeated, late and unknown reports change nothing', () => {
  const admission = createAdmission(none)
  const ticket = admitted(admission, '192.0.2.1')
  admission.authenticated(ticket)
  admission.authenticated(ticket)
  admission.authenticated(999)
  assert.equal(admission.startups, 0)
  admission.closed(ticket, 'session')
  admission.closed(ticket, 'session')
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
          admission.closed(n, 'session')
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

test('each refusal has a code of its own, and a reason for the client', () => {
  const admission = createAdmission({ ...none, maxStartupsPerSource: 1 })
  admitted(admission, '192.0.2.1')
  const { fault } = refused(admission, '192.0.2.1', 'startups_per_source')
  assert.equal(fault.code, 'SSH_HANDSHAKE_LIMIT')
  assert.deepEqual(fault.labels, { remoteAddr: '192.0.2.1', pending: 1, limit: 1 })
  assert.match(fault.userText, /try again later/)
})

test('the net blocks of the configuration are the sources', () => {
  const admission = createAdmission({
    ...none,
    maxStartupsPerSource: 1,
    sourceNetBlockIPv4: 24,
    sourceNetBlockIPv6: 48,
  })
  admitted(admission, '192.0.2.1')
  admitted(admission, '2001:db8:1:2::1')
  refused(admission, '192.0.2.255', 'startups_per_source')
  refused(admission, '2001:db8:1:3::1', 'startups_per_source')
  admitted(admission, '192.0.3.1')
  admitted(admission, '2001:db8:2::1')
})

test('between start and full a new connection is dropped at random, whatever its source', () => {
  let dice = 0
  const limits = { maxStartups: 20, maxStartupsStart: 10, maxStartupsRate: 30 }
  const admission = createAdmission({ ...none, ...limits }, { random: () => dice })
  for (let i = 0; i < 10; i++) admitted(admission, '192.0.2.1')
  dice = 0.29
  const { fault } = refused(admission, '192.0.2.9', 'random_drop')
  assert.equal(fault.code, 'SSH_EARLY_DROP')
  dice = 0.31
  admitted(admission, '192.0.2.9')
  dice = 0.999
  for (let i = 11; i < 20; i++) admitted(admission, '192.0.2.9')
  refused(admission, '192.0.2.9', 'startups')
})

test('what a connection did before its end decides whether its source may come again', () => {
  let now = 0
  const sentences: string[] = []
  const admission = createAdmission(none, {
    now: () => now,
    sentenced: ({ source, durationMs }, offence) => sentences.push(`${source} ${durationMs} ${offence}`),
  })
  for (let i = 0; i < 4; i++) admission.closed(admitted(admission, '192.0.2.1'), 'auth-failed')
  const { fault } = refused(admission, '192.0.2.1', 'penalty')
  assert.equal(fault.code, 'SSH_PENALTY')
  assert.equal(fault.userText, 'penalty for failed logins')
  assert.deepEqual(sentences, ['192.0.2.1 20000 auth-failed'])
  admitted(admission, '192.0.2.2')
  now = 20_000
  admitted(admission, '192.0.2.1')
})

test('users who had logged in, and those whom the server cut off, leave their source without a penalty', () => {
  const admission = createAdmission(none)
  for (let i = 0; i < 100; i++) {
    admission.closed(admitted(admission, '192.0.2.1'), 'session')
    admission.closed(admitted(admission, '192.0.2.1'), 'server')
    const ticket = admitted(admission, '192.0.2.1')
    admission.authenticated(ticket)
    admission.closed(ticket, 'protocol-error')
  }
  assert.equal(admission.penalised, 0)
})

test('refusals for the limits of a source are a penalty only where that is configured', () => {
  const limits = { ...none, maxStartupsPerSource: 1 }
  const strict = createAdmission({ ...limits, penalties: { ...none.penalties, refuseConnection: 10_000 } })
  for (const admission of [strict, createAdmission(limits)]) {
    admitted(admission, '192.0.2.1')
    for (let i = 0; i < 2; i++) refused(admission, '192.0.2.1', 'startups_per_source')
  }
  refused(strict, '192.0.2.1', 'penalty')
})

const proxied: AdmissionSettings = {
  ...none,
  maxStartups: 5,
  maxStartupsStart: 5,
  maxStartupsPerSource: 2,
  proxyProtocol: { ...none.proxyProtocol, trusted: ['192.0.2.0/24'] },
}

test('a trusted proxy has no limits of its own, only those of the whole server', () => {
  const admission = createAdmission(proxied)
  for (let i = 0; i < 5; i++) {
    const decision = admission.admit('192.0.2.1')
    assert.ok(decision.admitted && decision.proxied)
  }
  refused(admission, '192.0.2.1', 'startups')
})

test('behind a proxy each client has the limits and the penalties of its own address', () => {
  const admission = createAdmission(proxied)
  const tickets = ['198.51.100.1', '198.51.100.1', '198.51.100.1'].map((address) => {
    const ticket = admitted(admission, '192.0.2.1')
    return { ticket, answer: admission.identify(ticket, address) }
  })
  const answers = tickets.map(({ answer }) => (typeof answer === 'object' ? answer.reason : answer))
  assert.deepEqual(answers, ['admitted', 'admitted', 'startups_per_source'])
  for (const { ticket } of tickets) admission.closed(ticket, 'protocol-error')
  for (let i = 0; i < 2; i++) {
    const ticket = admitted(admission, '192.0.2.1')
    assert.equal(admission.identify(ticket, '198.51.100.1'), 'admitted')
    admission.closed(ticket, 'protocol-error')
  }
  const late = admission.identify(admitted(admission, '192.0.2.1'), '198.51.100.1')
  assert.ok(typeof late === 'object' && late.reason === 'penalty')
  assert.equal(admission.identify(admitted(admission, '192.0.2.1'), '198.51.100.2'), 'admitted')
})

test('a source is taken once, of proxied tickets, before the login', () => {
  const admission = createAdmission(proxied)
  assert.equal(admission.identify(77, '198.51.100.1'), undefined)
  assert.equal(admission.identify(admitted(admission, '198.51.100.9'), '198.51.100.1'), undefined)
  const ticket = admitted(admission, '192.0.2.1')
  assert.equal(admission.identify(ticket, '198.51.100.1'), 'admitted')
  assert.equal(admission.identify(ticket, '198.51.100.2'), undefined)
  const own = admitted(admission, '192.0.2.1')
  admission.authenticated(own)
  assert.equal(admission.identify(own, '198.51.100.1'), undefined)
})
