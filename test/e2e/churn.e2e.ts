import assert from 'node:assert/strict'
import { test } from 'node:test'
import { churn } from '../soak/churn.ts'

test('forty logins under killed clients, killed workers and a killed engine leave nothing over', async () => {
  const lines: string[] = []
  const faults = await churn({ cycles: 40, say: (line) => void lines.push(line) })
  assert.deepEqual(faults, [], lines.join('\n'))
})
