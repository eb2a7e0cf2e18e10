import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parseArguments } from '../../bench/arguments.ts'
import { startClock } from '../../bench/clock.ts'
import { interleave } from '../../bench/measure.ts'
import { peersOf } from '../../bench/peer.ts'
import { questions } from '../../bench/questions/index.ts'

describe('the command line of the bench', () => {
  test('without names it asks every question', () => {
    assert.deepEqual(parseArguments([], questions).chosen, questions)
  })
  test('with names it asks those, in the order of the report', () => {
    const names = parseArguments(['bulk', 'login', '--compare'], questions).chosen.map(({ name }) => name)
    assert.deepEqual(names, ['login', 'bulk'])
  })
  test('a name or an option that does not exist is refused with those that do', () => {
    assert.throws(() => parseArguments(['logins'], questions), /no question "logins"; there are login, handshake/)
    assert.throws(() => parseArguments(['--fast'], questions), /no option "--fast"; there are --quick/)
  })
  test('a quick run is neither reported nor compared', () => {
    for (const flag of ['--report', '--compare'])
      assert.throws(() => parseArguments([flag, '--quick'], questions), /--quick goes with neither/)
  })
  test('no two questions have one name', () => {
    assert.equal(new Set(questions.map(({ name }) => name)).size, questions.length)
  })
})

describe('gateways of others', () => {
  test('are named by the environment', () => {
    const [one, ...more] = peersOf({ PEER_GO_0_6: process.execPath, PEER_: 'x', PATH: '/bin' })
    assert.equal(more.length, 0)
    assert.deepEqual([one?.name, one?.command], ['go 0 6', [process.execPath]])
  })
  test('that cannot be run are refused with the variable', () => {
    assert.throws(() => peersOf({ PEER_GO: '/nowhere/containerssh' }), /PEER_GO=\/nowhere\/containerssh: expected/)
    assert.throws(() => peersOf({ PEER_GO: '' }), /PEER_GO=: expected/)
  })
})

describe('rounds', () => {
  const quiet = { signal: new AbortController().signal, clock: startClock(), progress: () => undefined }
  const sides = [{ name: 'a' }, { name: 'b' }]

  test('go there and back, and those of the warm-up are not counted', async () => {
    const order: string[] = []
    const samples = await interleave(sides, { ...quiet, rounds: 2, warmUp: 1, endsAt: Infinity }, async ({ name }) => {
      order.push(name)
      return { figure: order.length }
    })
    assert.deepEqual(order.join(''), 'baabba')
    assert.deepEqual(samples.get('b')?.get('figure'), [4, 5])
  })
  test('that no longer fit into the time are left out, except for the first three', async () => {
    const samples = await interleave(sides, { ...quiet, rounds: 50, warmUp: 0, endsAt: 0 }, async () => ({ n: 1 }))
    assert.deepEqual(samples.get('a')?.get('n'), [1, 1, 1])
  })
})
