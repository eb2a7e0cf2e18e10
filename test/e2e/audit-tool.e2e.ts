import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { login } from '../rigs/login.ts'
import { sshAudit } from '../rigs/prepare.ts'

interface Notes {
  readonly fail?: readonly string[]
  readonly warn?: readonly string[]
}
interface Algorithm {
  readonly algorithm: string
  readonly notes?: Notes
}
interface Report {
  readonly kex: readonly Algorithm[]
  readonly key: readonly Algorithm[]
  readonly enc: readonly Algorithm[]
  readonly mac: readonly Algorithm[]
}

test('ssh-audit finds nothing to fail or warn about in the default algorithms but the fallback for clients without a post-quantum key exchange', async () => {
  await using host = await login()
  // The tool's exit status tells warnings; what counts is the report.
  const { stdout } = await promisify(execFile)(sshAudit, ['-j', '-p', String(host.daemon.port), '127.0.0.1']).catch(
    (error: { stdout: string }) => error,
  )
  const report = JSON.parse(stdout) as Report
  const all = [...report.kex, ...report.key, ...report.enc, ...report.mac]
  assert.ok(all.length > 8, stdout)
  const complaints = all.flatMap(({ algorithm, notes }) =>
    [...(notes?.fail ?? []), ...(notes?.warn ?? [])].map((note) => `${algorithm}: ${note}`),
  )
  assert.equal(report.kex[0]?.algorithm, 'mlkem768x25519-sha256')
  // Offered after it, for clients that know no post-quantum key exchange yet.
  const known = /^curve25519-sha256(@libssh\.org)?: does not provide protection against post-quantum attacks$/
  assert.deepEqual(
    complaints.filter((complaint) => !known.test(complaint)),
    [],
  )
})
