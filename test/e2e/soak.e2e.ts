import assert from 'node:assert/strict'
import { test } from 'node:test'
import { soakConnections } from '../soak/connections.ts'

test('a minute of connections of every kind leaves memory, descriptors and containers at their level', async () => {
  const lines: string[] = []
  const say = (line: string): void => void lines.push(line)
  const { faults, connections } = await soakConnections({ minutes: 1, houses: ['bench', 'docker'], say })
  assert.deepEqual(faults, [], lines.join('\n'))
  assert.ok(connections > 50, lines.join('\n'))
})
