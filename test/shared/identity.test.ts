import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { ownerLabel, ownerState } from '../../src/shared/identity.ts'

const replaced = (label: string, index: number, value: string): string => label.split('-').with(index, value).join('-')

test('a process finds itself alive, and its label fits a Kubernetes label value', () => {
  const label = ownerLabel()
  assert.equal(ownerState(label), 'alive')
  assert.match(label, /^[0-9a-f]([0-9a-f-]{0,61}[0-9a-f])$/)
})

test('a child is alive until it is killed, even before it has been reaped by its parent', async () => {
  const child = spawn('sleep', ['60'])
  await once(child, 'spawn')
  const label = ownerLabel(child.pid)
  assert.equal(ownerState(label), 'alive')
  child.kill('SIGKILL')
  await once(child, 'exit')
  assert.equal(ownerState(label), 'dead')
})

test('a process that got the pid of a dead one is not taken for it', () => {
  assert.equal(ownerState(replaced(ownerLabel(), 4, '1')), 'dead')
})

test('everything from before the last boot is dead', () => {
  assert.equal(ownerState(replaced(ownerLabel(), 1, '00000000')), 'dead')
})

test('another machine is foreign, and so is anything that is not a label of ours', () => {
  assert.equal(ownerState(replaced(ownerLabel(), 0, '0123456789ab')), 'foreign')
  for (const text of ['', 'x', '../../etc/passwd', ownerLabel().slice(1), `${ownerLabel()}0x`]) {
    assert.equal(ownerState(text), 'foreign', text)
  }
})
