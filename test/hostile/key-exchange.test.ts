/** Key exchanges that break the rules of RFC 4253 section 7, strictly (OpenSSH PROTOCOL section 1.10) and not. */
import { describe, test } from 'node:test'
import { sshString } from '../../src/workers/ssh/blob.ts'
import type { RawClient } from '../rigs/raw/client.ts'
import { kexInit, type Lists, strictMarker } from '../rigs/raw/kexinit.ts'
import { openSession, passwordAttempt, serviceRequest } from '../rigs/raw/login.ts'
import { type Attacker, endsWith, target } from './target.ts'

const loose: Lists = { kex: 'curve25519-sha256' }
const publicValue = (value: Uint8Array): Buffer => Buffer.concat([Buffer.of(30), sshString(value)])
const idle = { ignore: Buffer.of(2, 0, 0, 0, 0), debug: Buffer.of(4, 0, 0, 0, 0, 0, 0, 0, 0, 0) }

const messages: readonly (readonly [name: string, payload: Buffer])[] = [
  ['a service request', serviceRequest()],
  ['an authentication request', passwordAttempt('mallory', 'secret')],
  ['USERAUTH_SUCCESS', Buffer.of(52)],
  ['a channel open', openSession()],
  ['EXT_INFO', Buffer.of(7, 0, 0, 0, 0)],
  ['a message that nobody knows', Buffer.of(150)],
]

type Step = readonly [name: string, go: (client: RawClient, lists: Lists) => Promise<void> | void]
const steps: readonly Step[] = [
  ['after its KEXINIT', (client, lists) => client.begin(lists)],
  [
    'before its NEWKEYS',
    async (client, lists) => {
      client.begin(lists)
      client.publicValue()
      await client.receive(31)
    },
  ],
]

describe('a client that sends, inside of a key exchange,', () => {
  const attack = target()
  for (const [kind, lists] of [
    ['strict', {}],
    ['not strict', loose],
  ] as const) {
    for (const [when, go] of steps) {
      for (const [name, payload] of messages) {
        test(`${name} ${when}, in the first exchange (${kind}), is disconnected`, async () => {
          const attacker = await attack.connect()
          attacker.client.identify()
          await go(attacker.client, lists)
          attacker.client.send(payload)
          await endsWith(attacker, 2, /^message \d+ (during a key exchange|before a service)/)
        })
        test(`${name} ${when}, in a later exchange (${kind}), is disconnected`, async () => {
          const attacker = await attack.login(lists)
          await go(attacker.client, lists)
          attacker.client.send(payload)
          await endsWith(attacker, 2, /^message \d+ during a key exchange$/)
        })
      }
    }
    test(`IGNORE and DEBUG in a later exchange (${kind}) may do so`, async () => {
      const { client } = await attack.login(lists)
      client.begin(lists)
      client.send(idle.ignore)
      client.publicValue()
      client.send(idle.debug)
      await client.receive(21)
      client.send(idle.ignore)
      client.newKeys()
      client.send(openSession())
      await client.receive(91)
    })
  }
  for (const [name, payload] of Object.entries(idle)) {
    test(`${name} in the first exchange, and had asked for it to be strict, is disconnected`, async () => {
      const attacker = await attack.connect()
      attacker.client.identify()
      attacker.client.begin()
      attacker.client.send(payload)
      await endsWith(attacker, 2, /in the first key exchange \(strict KEX\)/)
    })
    test(`${name} before its strict KEXINIT is disconnected`, async () => {
      const attacker = await attack.connect()
      attacker.client.identify()
      attacker.client.send(payload)
      attacker.client.begin()
      await endsWith(attacker, 3, /not the first packet \(strict KEX\)/)
    })
  }
  test('or has sent something of the kind, disturbs nobody', async () => {
    await attack.serves()
    await attack.forgets()
  })
})

describe('a key exchange', () => {
  const attack = target()
  const begun = async (lists?: Lists): Promise<Attacker> => {
    const attacker = await attack.connect()
    attacker.client.identify()
    attacker.client.begin(lists)
    return attacker
  }
  const hopeless: readonly (readonly [name: string, lists: Lists, text: RegExp])[] = [
    ['that offers only methods of old', { kex: 'diffie-hellman-group1-sha1' }, /no common key exchange method/],
    ['that offers no method', { kex: '' }, /no common key exchange method; client offers nothing/],
    ['that wants another host key', { hostKeys: 'ssh-dss' }, /no common host key algorithm/],
    ['without encryption', { cipherOut: 'none' }, /no common cipher from client to server/],
    ['without encryption of answers', { cipherIn: 'none' }, /no common cipher from server to client/],
    ['without a MAC', { cipherOut: 'aes128-ctr', macOut: 'none' }, /no common (cipher|MAC) from client to server/],
    ['with compression', { compressionOut: 'zlib' }, /no common compression from client to server/],
    ['with compression after the login', { compressionIn: 'zlib@openssh.com' }, /no common compression from server/],
    ['with names that are not ASCII', { kex: 'curve25519-sha256é' }, /malformed KEXINIT: kex_algorithms is not print/],
    ['with a terminal escape in a name', { macIn: '\x1b[31m' }, /malformed KEXINIT: mac_algorithms/],
    ['with 10,000 names', { kex: Array(5000).fill('a').join(',') }, /no common key exchange method; client offers a,a/],
  ]
  for (const [name, lists, text] of hopeless) {
    test(`${name} ends with reason 3`, async () => endsWith(await begun(lists), 3, text))
  }

  const broken: readonly (readonly [name: string, bytes: Buffer, text: RegExp])[] = [
    ['of one byte', Buffer.of(20), /malformed KEXINIT: cookie is truncated/],
    ['cut off inside of a list', kexInit().subarray(0, 60), /malformed KEXINIT: .* is truncated/],
    ['with a list of 4 GiB', Buffer.concat([kexInit().subarray(0, 17), Buffer.alloc(4, 255)]), /is truncated/],
    ['without its last byte', kexInit().subarray(0, -1), /reserved is truncated/],
  ]
  for (const [name, bytes, text] of broken) {
    test(`with a KEXINIT ${name} ends with reason 3`, async () => {
      const attacker = await attack.connect()
      attacker.client.identify()
      attacker.client.send(bytes)
      await endsWith(attacker, 3, text)
    })
  }

  const values: readonly (readonly [name: string, value: Buffer, text: RegExp])[] = [
    ['an empty public value', Buffer.alloc(0), /32 bytes, not 0/],
    ['a public value of 30 KB', Buffer.alloc(30_000, 7), /32 bytes, not 30000/],
    ['a public value of small order', Buffer.alloc(32), /not usable/],
    ['the value 1', Buffer.concat([Buffer.of(1), Buffer.alloc(31)]), /not usable/],
  ]
  for (const [name, value, text] of values) {
    test(`with ${name} ends with reason 3`, async () => {
      const attacker = await begun()
      attacker.client.send(publicValue(value))
      await endsWith(attacker, 3, text)
    })
  }
  const order: readonly (readonly [name: string, go: (client: RawClient) => void, text: RegExp])[] = [
    ['a second KEXINIT', (client) => client.begin(), /unexpected message 20/],
    ['NEWKEYS without a public value', (client) => client.send(Buffer.of(21)), /message 21/],
    ['a reply of a server', (client) => client.send(Buffer.of(31, 0, 0, 0, 0)), /message 31 instead of 30/],
    [
      'two public values',
      (client) => {
        client.publicValue()
        client.publicValue()
      },
      /unexpected message 30 before NEWKEYS/,
    ],
    [
      'NEWKEYS with a payload',
      (client) => {
        client.publicValue()
        client.send(Buffer.of(21, 0))
      },
      /unexpected message 21 before NEWKEYS/,
    ],
  ]
  for (const [name, go, text] of order) {
    test(`with ${name} ends with reason 3`, async () => {
      const attacker = await begun()
      go(attacker.client)
      await endsWith(attacker, 3, text)
    })
  }

  test('whose guess was wrong goes on with the next public value', async () => {
    const { client } = await begun({ kex: `ecdh-sha2-nistp256,curve25519-sha256,${strictMarker}`, follows: true })
    client.send(publicValue(Buffer.alloc(65, 4)))
    client.publicValue()
    await client.receive(21)
    client.newKeys()
    client.send(serviceRequest())
    await client.receive(6)
  })

  test('whose guess was wrong twice ends with reason 3', async () => {
    const attacker = await begun({ kex: `ecdh-sha2-nistp256,curve25519-sha256,${strictMarker}`, follows: true })
    for (let i = 0; i < 2; i++) attacker.client.send(publicValue(Buffer.alloc(65, 4)))
    await endsWith(attacker, 3, /32 bytes, not 65/)
  })

  test('with name-lists of 256 KiB and 100,000 names after the login is served or refused, quickly', async () => {
    const attacker = await attack.login()
    await attacker.client.exchange({ kex: `curve25519-sha256,${Array(100_000).fill('a').join(',')}` })
    attacker.client.begin({ kex: Array(100_000).fill('a').join(',') })
    await endsWith(attacker, 3, /no common key exchange method; client offers a,a/)
  })

  test('that failed disturbs nobody', async () => {
    await attack.serves()
    await attack.forgets()
  })
})
