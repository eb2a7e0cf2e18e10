import assert from 'node:assert/strict'
import { test } from 'node:test'
import { accept, ContractError, handoverOf, type Phase, reports } from '../../../src/shared/ipc/contract.ts'

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
  for (const kind of ['authenticated', 'closed']) accept(reports, 'draining', { kind, ticket: 1 })
  accept(reports, 'draining', { kind: 'load', connections: 0, counts: [] })
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
  accept(reports, 'serving', { kind: 'load', connections: 0, counts })
  refused('serving', { kind: 'load', connections: 0, counts: [...counts, ['made_up_total', [], 1]] }, /wrong counts/)
})

test('numbers are whole, not negative and safe', () => {
  for (const ticket of [-1, 1.5, 2 ** 53, '1', null, undefined]) {
    refused('serving', { kind: 'closed', ticket }, /wrong ticket/)
  }
})

test('a property that only the prototype has is a missing one', () => {
  refused('serving', Object.create({ kind: 'closed', ticket: 1 }), /wrong ticket|without a kind/)
})

test('what comes with a handle is a ticket, an address and a port, or nothing', () => {
  assert.deepEqual(handoverOf([1, '::1', 22]), [1, '::1', 22])
  for (const wrong of [[1, '::1'], [1, 2, 3], ['1', '::1', 22], {}, undefined, [1, '::1', 22, 4]]) {
    assert.equal(handoverOf(wrong), undefined)
  }
})
