import assert from 'node:assert/strict'
import { test } from 'node:test'
import { auditStorm } from '../soak/audit.ts'

/** On a machine that does other things too. `npm run soak -- audit` holds the daemon to 100 ms. */
const mostLostMs = 1000

test('sessions write while workers are killed, then the daemon: every log is readable and has what its client had', async () => {
  const lines: string[] = []
  const say = (line: string): void => void lines.push(line)
  const { faults, kills, logs } = await auditStorm({ sessions: 20, seconds: 10, mostLostMs, say })
  assert.deepEqual(faults, [], lines.join('\n'))
  assert.ok(kills > 2, `${kills} kills`)
  assert.ok(logs > 20, `${logs} logs`)
})
