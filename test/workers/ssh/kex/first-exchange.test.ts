/** The first key exchange byte by byte, by a client that has no SSH library: guesses, and nothing in common. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { connect } from 'node:net'
import { describe, test } from 'node:test'
import { BlobReader, sshString } from '../../../../src/workers/ssh/blob.ts'
import { startRig } from '../transport-rig.ts'

interface Proposal {
  readonly kex: string
  readonly hostKey?: string
  readonly cipher?: string
  readonly mac?: string
  readonly compression?: string
  readonly guessed?: boolean
}
function kexInit({ kex, hostKey = 'ssh-ed25519', guessed = false, ...more }: Proposal): Buffer {
  const { cipher = 'aes128-ctr', mac = 'hmac-sha2-256', compression = 'none' } = more
  const lists = [kex, hostKey, cipher, cipher, mac, mac, compression, compression, '', '']
  const tail = Buffer.of(guessed ? 1 : 0, 0, 0, 0, 0)
  return Buffer.concat([Buffer.of(20), randomBytes(16), ...lists.map(sshString), tail])
}

/** RFC 4253 section 6, without encryption. */
function packet(payload: Buffer): Buffer {
  const padding = 8 - ((5 + payload.length) % 8) + 8
  const head = Buffer.alloc(5)
  head.writeUInt32BE(1 + payload.length + padding, 0)
  head[4] = padding
  return Buffer.concat([head, payload, Buffer.alloc(padding)])
}

/** Sends these, and gives the payloads that come back, up to and with the first of type `last`. */
async function talk(port: number, payloads: readonly Buffer[], last: number): Promise<Buffer[]> {
  const socket = connect(port, '127.0.0.1')
  socket.write(Buffer.concat([Buffer.from('SSH-2.0-raw\r\n'), ...payloads.map(packet)]))
  let bytes = Buffer.alloc(0)
  const received: Buffer[] = []
  try {
    for await (const chunk of socket) {
      bytes = Buffer.concat([bytes, chunk])
      if (received.length === 0 && bytes.subarray(0, 4).toString() === 'SSH-') {
        const end = bytes.indexOf('\r\n')
        if (end < 0) continue
        bytes = bytes.subarray(end + 2)
      }
      while (bytes.length >= 4 && bytes.length >= 4 + bytes.readUInt32BE(0)) {
        const length = bytes.readUInt32BE(0)
        const payload = bytes.subarray(5, 4 + length - (bytes[4] ?? 0))
        bytes = bytes.subarray(4 + length)
        received.push(payload)
        if (payload[0] === last) return received
      }
    }
    throw new Error(`the server ended without message ${last}, after ${received.map((one) => one[0])}`)
  } finally {
    socket.destroy()
  }
}

const init = (value: Buffer): Buffer => Buffer.concat([Buffer.of(30), sshString(value)])
/** Of X25519: any 32 bytes with a few exceptions are a public key. */
const curve25519 = init(Buffer.alloc(32, 9))
const reply = 31
const disconnect = 1
/** Length of our public value, which tells by which method the server answered. */
function answerBytes(payload: Buffer): number {
  const reader = new BlobReader(payload.subarray(1))
  reader.string('host key')
  return reader.string('public value').length
}

describe('first_kex_packet_follows', () => {
  test('with a wrong guess the packet is ignored, and the right one answered', async () => {
    const rig = await startRig()
    const proposal = kexInit({ kex: 'sntrup761x25519-sha512,curve25519-sha256', guessed: true })
    const received = await talk(rig.port, [proposal, init(randomBytes(1190)), curve25519], reply)
    assert.deepEqual(
      received.map((payload) => payload[0]),
      [20, reply],
    )
    assert.equal(answerBytes(received[1] ?? Buffer.alloc(0)), 32)
    await rig.close()
  })

  test('with a wrong guess of the host key alone the packet is ignored too', async () => {
    const rig = await startRig({ ssh: { kex: ['curve25519-sha256'] } })
    const proposal = kexInit({ kex: 'curve25519-sha256', hostKey: 'rsa-sha2-512', guessed: true })
    const received = await talk(rig.port, [proposal, init(randomBytes(32)), curve25519], reply)
    assert.equal(received.length, 2)
    await rig.close()
  })

  test('with a right guess the packet is the exchange', async () => {
    const rig = await startRig({ ssh: { kex: ['curve25519-sha256'] } })
    const proposal = kexInit({ kex: 'curve25519-sha256', guessed: true })
    const received = await talk(rig.port, [proposal, curve25519], reply)
    assert.equal(answerBytes(received[1] ?? Buffer.alloc(0)), 32)
    await rig.close()
  })
})

describe('a client that has nothing in common with us', () => {
  const proposals: readonly (readonly [what: string, proposal: Proposal])[] = [
    ['key exchange method', { kex: 'foo' }],
    ['host key algorithm', { kex: 'curve25519-sha256', hostKey: 'ssh-rsa' }],
    ['cipher from client to server', { kex: 'curve25519-sha256', cipher: '3des-cbc' }],
    ['MAC from client to server', { kex: 'curve25519-sha256', mac: 'hmac-md5' }],
    ['compression from client to server', { kex: 'curve25519-sha256', compression: 'zlib' }],
    ['key exchange method', { kex: '' }],
  ]
  for (const [what, proposal] of proposals) {
    test(`${JSON.stringify(proposal)} is disconnected with reason 3 and a text that shows both lists`, async () => {
      const rig = await startRig()
      const [, told = Buffer.alloc(0)] = await talk(rig.port, [kexInit(proposal)], disconnect)
      const reader = new BlobReader(told.subarray(1))
      assert.equal(reader.uint32('reason'), 3)
      const text = reader.text('description')
      assert.match(text, new RegExp(`^no common ${what}; client offers .+; server offers .+`))
      const served = await rig.next()
      assert.equal((await served.closed)?.message, text)
      await rig.close()
    })
  }
})
