import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, test } from 'node:test'
import { promisify } from 'node:util'
import { signerOf } from '../../../src/shared/audit/chain-closing.ts'
import { renderMessagesPage } from '../../../src/shared/audit/messages-page.ts'
import type { AuditRecord } from '../../../src/shared/audit/record.ts'
import { generateHostKey } from '../../../src/shared/private-key.ts'
import { at, chained, connectionId, rawLog } from './rig.ts'

const root = resolve(import.meta.dirname, '../../..')
const folder = mkdtempSync(join(tmpdir(), 'audit-format-'))
after(() => rmSync(folder, { recursive: true }))
const run = promisify(execFile)
const fileOf = (name: string, content: Uint8Array | string): string => {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}

test('docs/audit-messages.md is what the catalogue says', () => {
  const page = readFileSync(join(root, 'docs/audit-messages.md'), 'utf8')
  assert.ok(page === renderMessagesPage(), 'docs/audit-messages.md is stale: run `npm run docs`')
})

test('a program that knows only docs/audit-format.md follows the chain, and openssl confirms the signature', async () => {
  const records: readonly AuditRecord[] = [
    { connectionId, timestamp: at(0), type: 'connect', payload: { remoteAddr: '::1', country: 'XX' }, channelId: null },
    { connectionId, timestamp: at(1), type: 'exec', payload: { requestId: 0, program: 'é' }, channelId: 0 },
    { connectionId, timestamp: at(2), type: 'io', payload: { stream: 1, data: new Uint8Array(70_000) }, channelId: 0 },
    { connectionId, timestamp: at(3), type: 'exit', payload: { exitStatus: 300 }, channelId: 0 },
  ]
  const signer = signerOf([await generateHostKey('host')])
  assert.ok(signer)
  const log = rawLog(chained([records.slice(0, 2), records.slice(2)], signer))
  const { stdout } = await run('python3', [join(root, 'test/rigs/audit-verify.py'), fileOf('log', log)])
  const found: Readonly<Record<string, string>> = JSON.parse(stdout)
  assert.equal(Number(found['messages']), 5)
  assert.equal(found['signer'], Buffer.from(signer.blob).toString('hex'))
  const bytes = (name: string): Buffer => Buffer.from(found[name] ?? '', 'hex')
  const der = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), bytes('signer').subarray(-32)])
  const pem = `-----BEGIN PUBLIC KEY-----\n${der.toString('base64')}\n-----END PUBLIC KEY-----\n`
  const files = ['-in', fileOf('text', bytes('text')), '-sigfile', fileOf('signature', bytes('signature'))]
  const verify = (...more: readonly string[]) =>
    run('openssl', ['pkeyutl', '-verify', '-pubin', '-inkey', fileOf('key', pem), '-rawin', ...more])
  assert.match((await verify(...files)).stdout, /Signature Verified Successfully/)
  const other = ['-in', fileOf('other', bytes('text').fill(1, 40)), ...files.slice(2)]
  await assert.rejects(verify(...other), /Command failed/)
})
