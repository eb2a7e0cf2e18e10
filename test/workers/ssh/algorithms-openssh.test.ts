/** Every algorithm that a configuration can ask for, between the whole server and the stock OpenSSH client. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { describe, test } from 'node:test'
import { ciphers, keyExchanges, macs } from '../../../src/shared/config/algorithms.ts'
import { defaults } from '../../../src/shared/config/schema.ts'
import { certificateAlgorithms } from '../../../src/workers/ssh/certificate.ts'
import { signatureAlgorithms } from '../../../src/workers/ssh/public-key.ts'
import { patternHash } from '../../rigs/room.ts'
import { startServer, type TestServer } from '../../rigs/server.ts'

/** What this client knows: `ssh -Q`. */
const known = (query: string): string[] => execFileSync('ssh', ['-Q', query], { encoding: 'utf8' }).trim().split('\n')
const bytes = 300_000

/** Sends and receives with these options of the client. */
async function passes(server: TestServer, options: readonly string[]): Promise<string> {
  const set = ['-vv', ...options.flatMap((option) => ['-o', option])]
  const down = await server.client.run(['source', String(bytes)], { options: set })
  assert.equal(down.stdout.length, bytes, down.stderr)
  const up = await server.client.run(['sink'], { options: set, input: down.stdout })
  assert.equal(up.stdout.toString(), patternHash(bytes), up.stderr)
  return down.stderr
}

const lists = [
  ['kex', 'KexAlgorithms', keyExchanges.offered, []],
  ['cipher', 'Ciphers', ciphers.offered, []],
  ['mac', 'MACs', macs.offered, ['Ciphers=aes128-ctr']],
] as const
for (const [query, option, offered, more] of lists) {
  describe(`${option} of the client`, () => {
    const supported = known(query)
    for (const name of offered.filter((one) => supported.includes(one))) {
      test(`${name} carries data both ways when it is configured`, async () => {
        const ssh = { kex: keyExchanges.offered, ciphers: ciphers.offered, macs: macs.offered }
        await using server = await startServer({ ssh })
        const log = await passes(server, [`${option}=${name}`, ...more])
        const chosen = { kex: `kex: algorithm: ${name}`, cipher: `cipher: ${name} `, mac: `MAC: ${name} ` }[query]
        assert.ok(log.includes(chosen), log)
      })
    }
  })
}

test('what this client cannot be asked for is at most the newest key exchange', () => {
  const missing = lists.flatMap(([query, , offered]) => offered.filter((name) => !known(query).includes(name)))
  assert.ok(
    missing.every((name) => name === 'mlkem768x25519-sha256'),
    missing.join(),
  )
})

test('the client prints our signature algorithms, which are all of its own except for SHA-1, DSA and WebAuthn', async () => {
  await using server = await startServer()
  const { stderr } = await server.client.run(['exit', '0'], { options: ['-vv'] })
  const [, printed = ''] = /server-sig-algs=<([^>]*)>/.exec(stderr) ?? []
  assert.deepEqual(printed.split(','), signatureAlgorithms)
  const isOurs = (name: string): boolean => !/^(ssh-rsa|ssh-dss|webauthn-)/.test(name)
  const all = known('key-sig').filter(isOurs)
  assert.deepEqual([...signatureAlgorithms, ...certificateAlgorithms].toSorted(), all.toSorted())
})

test('what a default configuration offers is what the client reads, and nothing weak is in it', async () => {
  await using server = await startServer()
  const { stderr } = await server.client.run(['exit', '0'], { options: ['-vv'] })
  const [, peer = ''] = stderr.split('peer server KEXINIT proposal')
  const { kex, ciphers: configured, macs: authenticators } = defaults().ssh
  assert.ok(peer.includes(`KEX algorithms: ${[...kex, 'kex-strict-s-v00@openssh.com'].join(',')}`), peer)
  assert.ok(peer.includes(`ciphers stoc: ${configured.join(',')}`))
  assert.ok(peer.includes(`MACs ctos: ${authenticators.join(',')}`))
  assert.doesNotMatch(peer.split('reserved')[0] ?? '', /sha1|cbc|ssh-rsa|md5|arcfour/)
})

test('a client that has nothing in common with us reads our offer, and the log says what was missing', async () => {
  await using server = await startServer()
  const { code, stderr } = await server.client.run(['exit', '0'], {
    options: ['-vv', '-o', 'KexAlgorithms=diffie-hellman-group14-sha1'],
  })
  assert.equal(code, 255)
  assert.match(stderr, /no matching key exchange method found. Their offer: mlkem768x25519-sha256,curve25519/)
  const { labels } = await server.line('SSH_HANDSHAKE_FAILED')
  assert.match(String(labels['reason']), /^no common key exchange method; client offers diffie-hellman-group14-sha1/)
})
