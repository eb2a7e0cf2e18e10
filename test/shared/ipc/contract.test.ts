import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  accept,
  ContractError,
  handoverFor,
  handoverOf,
  type Phase,
  reports,
} from '../../../src/shared/ipc/contract.ts'
import { outcomes } from '../../../src/shared/ipc/outcome.ts'
import { reportedGauges } from '../../../src/shared/metric/gauges.ts'
import { histograms } from '../../../src/shared/metric.ts'

const gauges = Object.fromEntries(Object.keys(reportedGauges).map((name) => [name, 0]))
const load = { kind: 'load', counts: [], observed: [], gauges }

const record = { level: 'info', code: 'SSH_CONNECTED', message: 'x', labels: { a: 1, b: 'x', c: true }, time: 1 }
const refused = (phase: Phase, value: unknown, pattern: RegExp): void =>
  assert.throws(
    () => accept(reports, phase, value),
    (error) => error instanceof ContractError && pattern.test(error.message),
  )

test('a worker reports ready once: while it starts, with its owner label', () => {
  const ready = { kind: 'ready', owner: 'x' }
  assert.equal(accept(reports, 'starting', ready), ready)
  refused('serving', ready, /ready in phase serving/)
  refused('starting', { kind: 'ready' }, /wrong owner/)
})

test('a worker that has not reported ready can neither take nor close connections', () => {
  refused('starting', { kind: 'taken', tickets: [1] }, /phase starting/)
  refused('starting', { kind: 'closed', ticket: 1 }, /phase starting/)
})

test('what a worker sent before it heard of the drain is still welcome', () => {
  accept(reports, 'draining', { kind: 'authenticated', ticket: 1 })
  accept(reports, 'draining', { kind: 'closed', ticket: 1, outcome: 'session' })
  accept(reports, 'draining', load)
})

test('log records are welcome in every phase and checked one by one', () => {
  accept(reports, 'starting', { kind: 'log', records: [record], dropped: 0 })
  for (const wrong of [
    { ...record, level: 'loud' },
    { ...record, level: 'toString' },
    { ...record, code: 'NO_SUCH_CODE' },
    { ...record, code: undefined },
    { ...record, message: 1 },
    { ...record, time: Number.NaN },
    { ...record, labels: { a: {} } },
    { ...record, labels: [] },
    null,
  ]) {
    refused('serving', { kind: 'log', records: [record, wrong], dropped: 0 }, /wrong records/)
  }
})

test('a worker may count what the table of counters has, and nothing else', () => {
  const counts = [['containerssh_ssh_refusals_total', ['penalty'], 2]]
  accept(reports, 'serving', { ...load, counts })
  refused('serving', { ...load, counts: [...counts, ['made_up_total', [], 1]] }, /wrong counts/)
})

test('a worker may time what the table of histograms has, in its buckets, and tell its own gauges', () => {
  const buckets = histograms.containerssh_ssh_exit_seconds.buckets.map(() => 0)
  const observed = ['containerssh_ssh_exit_seconds', [], [...buckets, 1], 17]
  accept(reports, 'serving', { ...load, observed: [observed] })
  for (const wrong of [
    ['made_up_seconds', [], [...buckets, 1], 17],
    ['containerssh_ssh_exit_seconds', ['yes'], [...buckets, 1], 17],
    ['containerssh_ssh_exit_seconds', [], buckets, 17],
    ['containerssh_ssh_exit_seconds', [], [...buckets, -1], 17],
    ['containerssh_ssh_exit_seconds', [], [...buckets, 1], Number.NaN],
    // The primary adds the name of the process.
    ['containerssh_event_loop_delay_seconds', ['worker-7'], [], 0],
  ]) {
    refused('serving', { ...load, observed: [observed, wrong] }, /wrong observed/)
  }
  for (const wrong of [{}, { ...gauges, more: 1 }, { ...gauges, containerssh_worker_connections: -1 }, null]) {
    refused('serving', { ...load, gauges: wrong }, /wrong gauges/)
  }
})

test('the end of a connection has one of a few words', () => {
  for (const outcome of outcomes) accept(reports, 'serving', { kind: 'closed', ticket: 1, outcome })
  for (const outcome of ['refused', 'anything', '', 1, undefined]) {
    refused('serving', { kind: 'closed', ticket: 1, outcome }, /wrong outcome/)
  }
})

test('the source of a connection is an address in the spelling that limits rely on, and a port', () => {
  const source = { kind: 'source', ticket: 1, address: '2001:db8::1', port: 65_535 }
  accept(reports, 'serving', source)
  for (const address of ['2001:DB8::1', '::ffff:192.0.2.1', 'fe80::1%lo', '192.0.2', 'proxy', '', 1]) {
    refused('serving', { ...source, address }, /wrong address/)
  }
  for (const port of [-1, 65_536, 1.5, '22']) refused('serving', { ...source, port }, /wrong port/)
})

test('numbers are whole, not negative and safe', () => {
  for (const ticket of [-1, 1.5, 2 ** 53, '1', null, undefined]) {
    refused('serving', { kind: 'closed', ticket, outcome: 'session' }, /wrong ticket/)
  }
})

test('a property that only the prototype has is a missing one', () => {
  refused('serving', Object.create({ kind: 'closed', ticket: 1 }), /wrong ticket|without a kind/)
})

test('what comes with a handle is a ticket, who came, when, from where, and whether a proxy sent it, or nothing', () => {
  const arrival = { address: '::1', port: 22, country: 'HU', acceptedMs: 4.5 }
  assert.deepEqual(handoverOf(handoverFor(1, arrival, true)), { ticket: 1, arrival, proxied: true })
  for (const wrong of [
    [1, '::1', 22, true],
    [1, 2, 3, true, 'HU', 4],
    ['1', '::1', 22, true, 'HU', 4],
    {},
    undefined,
    [1, '::1', 22, 4, 'HU', 4],
    [1, '::1', 65_536, true, 'HU', 4],
    [1, '::1', 22, true, 'hu', 4],
    [1, '::1', 22, true, 'HU', Number.NaN],
  ]) {
    assert.equal(handoverOf(wrong), undefined)
  }
})
