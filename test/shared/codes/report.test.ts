import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { codesReport } from '../../codes.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'containerssh-codes-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const line = (code: string): string =>
  `{"timestamp":"2026-11-22T10:51:06Z","level":"info","code":"${code}","message":"","details":{}}\n`
const command = new URL('../../codes.ts', import.meta.url).pathname
const run = () =>
  spawnSync(process.execPath, [command], { env: { ...process.env, CODES_DIR: folder }, encoding: 'utf8' })

describe('the report of the codes seen', () => {
  it('counts each code of the seed once, over all recordings, and ignores other output', async () => {
    mkdirSync(join(folder, 'deeper'))
    writeFileSync(join(folder, 'a.ndjson'), `${line('SSH_EXIT')}hello\n${line('SSH_EXIT')}{"code":"SSH_CONNECTED"}\n`)
    writeFileSync(
      join(folder, 'deeper/b.ndjson'),
      `${line('AUTH')}${line('WORKER_STARTED')}{"timestamp":"2026","code":"TES`,
    )
    writeFileSync(join(folder, 'c.txt'), line('TEST'))
    const report = await codesReport(folder)
    assert.deepEqual([...report.seen].sort(), ['AUTH', 'SSH_EXIT'])
    assert.equal(report.missing.length, 170)
    assert.deepEqual(report.unknown, [])
    assert.ok(report.missing.includes('KUBERNETES_EXEC'))
    assert.ok(!report.missing.some((code) => report.seen.includes(code)))
    assert.match(report.text, /^Service: 0 of 9$/m)
    assert.match(report.text, /\ncodes: 2 of 172 seen$/)
  })

  it('is printed by `npm run codes`, which succeeds while codes are missing', () => {
    const { status, stdout } = run()
    assert.equal(status, 0)
    assert.match(stdout, /\ncodes: 0 of 172 seen\n$/)
  })

  it('lists codes that no table has, and fails', () => {
    writeFileSync(join(folder, 'a.ndjson'), `${line('SSH_EXIT')}${line('NOBODY_KNOWS')}`)
    const { status, stdout } = run()
    assert.equal(status, 1)
    assert.match(stdout, /^in the logs but in no table: NOBODY_KNOWS$/m)
    assert.match(stdout, /\ncodes: 1 of 172 seen\n$/)
  })
})
