import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { readyFolder } from '../../../src/primary/audit/ready-folder.ts'

test('daemons that start at the same time may keep their logs in the same folder, and nothing is left in it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'containerssh-ready-'))
  try {
    const daemons = Array.from({ length: 50 }, () => readyFolder(folder, 'audit.file.directory'))
    await Promise.all(daemons)
    assert.deepEqual(readdirSync(folder), [])
  } finally {
    rmSync(folder, { recursive: true })
  }
})
