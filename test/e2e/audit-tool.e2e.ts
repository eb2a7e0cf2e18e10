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
  readonly banner: { readonly raw: string; readonly protocol: string }
  readonly compression: readonly string[]
  readonly cves: readonly unknown[]
  /** What it would add, change or delete. */
  readonly recommendations: object
  readonly additional_notes: readonly string[]
}
interface Audit {
  readonly report: Report
  readonly complaints: readonly string[]
  /** 0: nothing to fail or warn about. */
  readonly status: number
}

/** Runs ssh-audit against a daemon with the given `ssh` options. Penalties are on, as they are by default. */
async function audit(ssh: Readonly<Record<string, unknown>>): Promise<Audit> {
  await using host = await login({ ssh: { penalties: { enable: true }, ...ssh } })
  const args = ['-j', '-p', String(host.daemon.port), '127.0.0.1']
  const { stdout, code } = await promisify(execFile)(sshAudit, args).then(
    (done) => ({ ...done, code: 0 }),
    (error: { stdout: string; code: number }) => error,
  )
  const report = JSON.parse(stdout) as Report
  const all = [...report.kex, ...report.key, ...report.enc, ...report.mac]
  const complaints = all.flatMap(({ algorithm, notes }) =>
    [...(notes?.fail ?? []), ...(notes?.warn ?? [])].map((note) => `${algorithm}: ${note}`),
  )
  return { report, complaints, status: code }
}

const names = (algorithms: readonly Algorithm[]): string[] => algorithms.map(({ algorithm }) => algorithm)
/** Terrapin (CVE-2023-48795) is no finding about us any more, but advice for the sake of peers without strict KEX. */
const peersToo = /^Be aware that, while this target properly supports the strict key exchange method/
const notes = (report: Report): string[] => report.additional_notes.filter((note) => !peersToo.test(note))

test('ssh-audit finds nothing to fail or warn about in the default algorithms but the fallback for clients without a post-quantum key exchange', async () => {
  const { report, complaints } = await audit({})
  assert.equal(report.kex[0]?.algorithm, 'mlkem768x25519-sha256')
  // Offered after it, for clients that know no post-quantum key exchange yet.
  const known = /^curve25519-sha256(@libssh\.org)?: does not provide protection against post-quantum attacks$/
  assert.deepEqual(
    complaints.filter((complaint) => !known.test(complaint)),
    [],
  )
  assert.ok(report.key.length > 0 && report.enc.length > 3 && report.mac.length > 0)
  assert.deepEqual([report.cves, report.recommendations], [[], {}])
  // Nor about too many key exchanges at a time (DHEat, CVE-2002-20001): penalties stop them.
  assert.deepEqual(notes(report), [])
})

test('without the fallback, ssh-audit has no complaint at all', async () => {
  const { report, complaints, status } = await audit({ kex: ['mlkem768x25519-sha256'] })
  assert.deepEqual(complaints, [])
  assert.equal(status, 0)
  assert.deepEqual(names(report.kex), ['mlkem768x25519-sha256', 'kex-strict-s-v00@openssh.com'])
  assert.deepEqual(names(report.key), ['ssh-ed25519'])
  assert.deepEqual([report.banner.raw, report.banner.protocol], ['SSH-2.0-ContainerSSH', '2.0'])
  assert.deepEqual([report.compression, report.cves, report.recommendations], [['none'], [], {}])
  assert.deepEqual(notes(report), [])
})

test('without ChaCha20, ssh-audit has not even advice about the Terrapin attack on clients', async () => {
  const ciphers = ['aes256-gcm@openssh.com', 'aes128-gcm@openssh.com', 'aes256-ctr']
  const { report, complaints } = await audit({ kex: ['mlkem768x25519-sha256'], ciphers })
  assert.deepEqual([report.additional_notes, complaints], [[], []])
  assert.deepEqual(names(report.enc), ciphers)
})
