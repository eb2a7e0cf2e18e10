import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Circuit } from '../../../src/workers/webhook/circuit.ts'

/** A circuit with a clock of its own. */
function open() {
  let now = 1000
  const circuit = new Circuit(() => now)
  const pass = (ms: number): void => {
    now += ms
  }
  return { circuit, pass }
}
const fail = (circuit: Circuit, times: number): void => {
  for (let i = 0; i < times; i++) circuit.failed()
}

test('many failures at one moment, and few over a long time, open nothing', () => {
  const burst = open()
  fail(burst.circuit, 1000)
  assert.ok(burst.circuit.admits(2000))
  const rare = open()
  for (let i = 0; i < 4; i++) {
    rare.circuit.failed()
    rare.pass(60_000)
  }
  assert.ok(rare.circuit.admits(2000))
})

test('a success between failures begins the count anew', () => {
  const { circuit, pass } = open()
  fail(circuit, 4)
  pass(5000)
  circuit.succeeded()
  fail(circuit, 4)
  assert.ok(circuit.admits(2000))
})

test('once open, one request at a time is let through, later and later, until one succeeds', () => {
  const { circuit, pass } = open()
  fail(circuit, 4)
  pass(3000)
  circuit.failed()
  assert.ok(!circuit.admits(2000))
  pass(1000)
  assert.ok(circuit.admits(2000))
  assert.ok(!circuit.admits(2000), 'while the first is on its way')
  circuit.failed()
  pass(1000)
  assert.ok(!circuit.admits(2000), 'the second pause is longer')
  pass(1000)
  assert.ok(circuit.admits(2000))
  circuit.succeeded()
  assert.ok(circuit.admits(2000))
  assert.ok(circuit.admits(2000))
})

test('failures of requests that were on their way when it opened do not prolong it', () => {
  const { circuit, pass } = open()
  fail(circuit, 4)
  pass(3000)
  circuit.failed()
  pass(900)
  fail(circuit, 100)
  pass(100)
  assert.ok(circuit.admits(2000))
})

test('a request that found nothing out, because its client left, does not block the next one for ever', () => {
  const { circuit, pass } = open()
  fail(circuit, 4)
  pass(3000)
  circuit.failed()
  pass(1000)
  assert.ok(circuit.admits(2000))
  pass(2000)
  assert.ok(circuit.admits(2000))
})
