/** Names and texts that steer terminals, end lines, cut strings or are no text: every record stays one valid line. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { sshString } from '../../src/workers/ssh/blob.ts'
import { Writer } from '../../src/workers/ssh/bytes.ts'
import { globalRequest } from '../../src/workers/ssh/messages.ts'
import { message } from '../../src/workers/ssh/numbers.ts'
import { attempt, keyQuery, openSession, passwordAttempt, serviceRequest, session } from '../rigs/raw/login.ts'
import { staysOneLine } from './lines.ts'
import { type Attacker, target } from './target.ts'

const names: readonly (readonly [name: string, bytes: Buffer])[] = [
  ['nothing', Buffer.alloc(0)],
  ['line feeds', Buffer.from('a\nb\r\nc')],
  ['tabs', Buffer.from('a\tb')],
  ['a NUL', Buffer.from('a\0b')],
  ['terminal escapes', Buffer.from('\x1b[2J\x1b]0;owned\x07\u009b31m')],
  ['line separators', Buffer.from('a\u2028b\u2029c\u0085d')],
  ['text that runs backwards', Buffer.from('\u202etxt.exe')],
  ['bytes that are no UTF-8', Buffer.of(0x61, 0xff, 0xfe, 0xc0, 0x80)],
  ['half a surrogate in UTF-8', Buffer.of(0xed, 0xa0, 0x80)],
  ['quotes and braces', Buffer.from(`"},{"a":"\\' {reason} {username}`)],
  ['255 characters', Buffer.alloc(255, 'x')],
  ['256 characters', Buffer.alloc(256, 'x')],
  ['200,000 characters', Buffer.alloc(200_000, 'x')],
]
const request = (type: Uint8Array | string, rest: Uint8Array): Buffer =>
  new Writer(message.channelRequest).uint32(0).string(type).boolean(true).raw(rest).finish()
const size = Buffer.alloc(16, 1)

/** Each puts the name somewhere; true when the connection may end by it. */
const places: readonly (readonly [name: string, phase: 'approach' | 'login', send: (name: Buffer) => Buffer])[] = [
  ['user name', 'approach', (name) => passwordAttempt(name, 'x')],
  ['method', 'approach', (name) => new Writer(50).string('mallory').string('ssh-connection').string(name).finish()],
  ['service of an attempt', 'approach', (name) => attempt('mallory', 'none', Buffer.alloc(0), name.toString('latin1'))],
  ['password', 'approach', (name) => passwordAttempt('mallory', name)],
  ['key algorithm', 'approach', (name) => keyQuery('mallory', name.toString('latin1'), Buffer.alloc(4))],
  ['type of a key', 'approach', (name) => keyQuery('mallory', 'ssh-ed25519', sshString(name))],
  ['service', 'approach', (name) => Buffer.concat([Buffer.of(5), sshString(name)])],
  [
    'language of a disconnect',
    'login',
    (name) => Buffer.concat([Buffer.of(1, 0, 0, 0, 2), sshString('bye'), sshString(name)]),
  ],
  [
    'text of a disconnect',
    'login',
    (name) => Buffer.concat([Buffer.of(1, 0, 0, 0, 2), sshString(name), sshString('')]),
  ],
  ['text of a debug message', 'login', (name) => Buffer.concat([Buffer.of(4, 1), sshString(name), sshString('')])],
  ['channel type', 'login', (name) => Buffer.concat([Buffer.of(90), sshString(name), Buffer.alloc(12, 1)])],
  ['global request', 'login', (name) => globalRequest(name.toString('latin1'), true)],
  [
    'forwarded address',
    'login',
    (name) => globalRequest('tcpip-forward', true, Buffer.concat([sshString(name), Buffer.alloc(4)])),
  ],
  [
    'target of a direct channel',
    'login',
    (name) =>
      Buffer.concat([
        Buffer.of(90),
        sshString('direct-tcpip'),
        Buffer.alloc(12, 1),
        sshString(name),
        Buffer.of(0, 0, 0, 1),
        sshString(name),
        Buffer.of(0, 0, 0, 1),
      ]),
  ],
  ['channel request', 'login', (name) => request(name, Buffer.alloc(0))],
  ['command', 'login', (name) => request('exec', sshString(name))],
  ['subsystem', 'login', (name) => request('subsystem', sshString(name))],
  ['signal', 'login', (name) => request('signal', sshString(name))],
  ['name of a variable', 'login', (name) => request('env', Buffer.concat([sshString(name), sshString('x')]))],
  ['value of a variable', 'login', (name) => request('env', Buffer.concat([sshString('X'), sshString(name)]))],
  ['terminal type', 'login', (name) => request('pty-req', Buffer.concat([sshString(name), size, sshString('')]))],
  ['terminal modes', 'login', (name) => request('pty-req', Buffer.concat([sshString('vt100'), size, sshString(name)]))],
  [
    'X11 protocol',
    'login',
    (name) => request('x11-req', Buffer.concat([Buffer.of(0), sshString(name), sshString(name), Buffer.alloc(4)])),
  ],
]

describe('a name of', () => {
  const attack = target()
  const arrive = async (phase: 'approach' | 'login', place: string): Promise<Attacker> => {
    if (place === 'service') return attack.handshake()
    const attacker = await attack[phase]()
    if (phase === 'login') await session(attacker.client)
    return attacker
  }
  for (const [name, bytes] of names) {
    test(`${name} is no trouble anywhere`, async () => {
      for (const [place, phase, send] of places) {
        const attacker = await arrive(phase, place)
        attacker.client.send(send(bytes))
        // Whatever comes of it, the server has dealt with it when it answers this, or ends the connection.
        attacker.client.send(phase === 'login' ? openSession({ sender: 1 }) : passwordAttempt('mallory', 'x'))
        if (place === 'service') attacker.client.send(serviceRequest())
        await Promise.race([
          attacker.client.ended,
          attacker.client.receive(phase === 'login' ? 91 : 51).catch(() => undefined),
        ])
        attacker.client.socket.destroy()
        await attacker.record('SSH_DISCONNECTED')
        for (const record of attacker.records()) {
          assert.notEqual(record.level, 'crit', place)
          assert.doesNotMatch(record.message, /a message could not be handled|is not a function|undefined/)
          // On its way to the log a worker cuts every text after 8192 characters (`record-sender.ts`).
          staysOneLine(record, record.level === 'debug' ? 1 << 20 : 8192)
        }
      }
      await attack.serves()
      await attack.forgets()
    })
  }
})
