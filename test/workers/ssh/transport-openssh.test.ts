/** The stock OpenSSH client against the bare transport layer, with a connection layer of a few lines above it. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { test } from 'node:test'
import { whyNotLibsodium } from '../../../src/workers/ssh/curve25519/index.ts'
import { addonAvailable, defaultLimits } from '../../../src/workers/ssh/transport.ts'
import type { Wire } from '../../../src/workers/ssh/wire.ts'
import { algorithms, hostKeys, startRig } from './transport-rig.ts'

const clientOptions = [
  'StrictHostKeyChecking=no',
  'UserKnownHostsFile=/dev/null',
  'BatchMode=yes',
  'IdentityAgent=none',
]

async function ssh(port: number, options: readonly string[], input?: Buffer): Promise<{ output: Buffer; log: string }> {
  const set = [...clientOptions, ...options].flatMap((option) => ['-o', option])
  const child = spawn('ssh', ['-v', '-F', 'none', '-T', '-p', String(port), ...set, 'anna@127.0.0.1', 'run'])
  const output: Buffer[] = []
  const log: Buffer[] = []
  child.stdout.on('data', (chunk) => output.push(chunk))
  child.stderr.on('data', (chunk) => log.push(chunk))
  child.stdin.on('error', () => undefined)
  child.stdin.end(input)
  await once(child, 'close')
  return { output: Buffer.concat(output), log: Buffer.concat(log).toString() }
}

const uint32 = (value: number): Buffer => {
  const out = Buffer.alloc(4)
  out.writeUInt32BE(value)
  return out
}
const message = (type: number, ...parts: readonly Uint8Array[]): Buffer => Buffer.concat([Buffer.of(type), ...parts])
const block = Buffer.alloc(32_000, 'x')

/** Lets everybody in, takes what comes and sends `download` bytes after the client's EOF, as its window allows. */
function session(download: number): {
  onMessage(wire: Wire, payload: Buffer): void
  onDrain(wire: Wire): void
  upload: ReturnType<typeof createHash>
} {
  const upload = createHash('sha256')
  let left = download
  let window = 0
  let producing = false
  const produce = (wire: Wire): void => {
    while (left > 0 && window > 0 && !wire.congested) {
      const size = Math.min(left, window, block.length)
      left -= size
      window -= size
      wire.send(message(94, uint32(0), uint32(size), block.subarray(0, size)))
    }
    if (left === 0 && !wire.congested) {
      left = -1
      const status = message(98, uint32(0), uint32(11), Buffer.from('exit-status'), Buffer.of(0), uint32(0))
      for (const last of [message(96, uint32(0)), status, message(97, uint32(0))]) wire.send(last)
    }
  }
  return {
    upload,
    onDrain: produce,
    onMessage: (wire, payload) => {
      switch (payload[0]) {
        case 50:
          wire.send(Buffer.of(52))
          break
        case 90:
          window = payload.readUInt32BE(payload.length - 8)
          wire.send(message(91, uint32(0), uint32(0), uint32(2 ** 31), uint32(32_768)))
          break
        case 94:
          upload.update(payload.subarray(9))
          break
        case 93:
          window += payload.readUInt32BE(5)
          if (producing) produce(wire)
          break
        case 96:
          producing = true
          produce(wire)
          break
        case 98:
          if (payload.includes('exec')) wire.send(message(99, uint32(0)))
          break
        default:
      }
    },
  }
}

const cases = [
  ...algorithms.kex.filter((name) => !name.startsWith('mlkem')).map((name) => [name, [`KexAlgorithms=${name}`]]),
  ...hostKeys.flatMap((key) => key.algorithms).map((name) => [name, [`HostKeyAlgorithms=${name}`]]),
  ...algorithms.ciphers.map((name) => [name, [`Ciphers=${name}`]]),
  ...algorithms.macs.map((name) => [name, ['Ciphers=aes128-ctr', `MACs=${name}`]]),
] as const

test('the addon and libsodium are used where they are expected', () => {
  const areExpected = process.env['EXPECT_ADDON'] !== 'false'
  assert.equal(addonAvailable, areExpected)
  assert.equal(whyNotLibsodium() === undefined, areExpected)
})

test('the OpenSSH client comes through with every key exchange, host key, cipher and MAC', async () => {
  const upload = Buffer.alloc(100_000, 'y')
  for (const [name, options] of cases) {
    const app = session(100_000)
    const rig = await startRig(app)
    const { output, log } = await ssh(rig.port, options as readonly string[], upload)
    const served = await rig.next()
    assert.equal(output.length, 100_000, `${name}: ${log}`)
    assert.equal(app.upload.digest('hex'), createHash('sha256').update(upload).digest('hex'), String(name))
    const negotiated = await served.ready
    assert.ok(Object.values(negotiated).includes(String(name)) || String(name).startsWith('hmac'), String(name))
    assert.equal(await served.closed, undefined, String(name))
    await rig.close()
  }
})

test('the client reads our EXT_INFO whole', async () => {
  const rig = await startRig(session(0))
  const { log } = await ssh(rig.port, [])
  assert.match(log, /server-sig-algs=<ssh-ed25519,.*,ecdsa-sha2-nistp521,.*,rsa-sha2-512,rsa-sha2-256>/)
  await rig.close()
})

const megabytes = 24 * 2 ** 20
for (const cipher of ['aes128-gcm@openssh.com', 'chacha20-poly1305@openssh.com', 'aes256-ctr']) {
  test(`with ${cipher} data survives re-keying by the client, then by the server, in both directions`, async () => {
    const upload = Buffer.alloc(megabytes, 'y')
    const digest = createHash('sha256').update(upload).digest('hex')
    for (const [initiator, options, limits] of [
      ['client', ['RekeyLimit=1M'], {}],
      ['server', [], { rekeyBytes: 2 ** 20 }],
    ] as const) {
      const app = session(megabytes)
      const rig = await startRig({ ...app, limits: { ...defaultLimits, ...limits } })
      const { output, log } = await ssh(rig.port, [`Ciphers=${cipher}`, ...options], upload)
      const exchanges = log.match(/SSH2_MSG_NEWKEYS received/g)?.length ?? 0
      assert.ok(exchanges > 10, `${exchanges} key exchanges`)
      const { rekeyings } = await rig.next()
      assert.deepEqual([rekeyings.length, new Set(rekeyings)], [exchanges - 1, new Set([initiator])])
      assert.equal(output.length, megabytes)
      assert.ok(output.equals(Buffer.alloc(megabytes, 'x')))
      assert.equal(app.upload.digest('hex'), digest)
      await rig.close()
    }
  })
}
