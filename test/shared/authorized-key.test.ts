import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { filledLines, looksLikeKey, parseCertificateLine, parseKeyLine } from '../../src/shared/authorized-key.ts'
import { type KeyOptions, noOptions, parseKeyOptions } from '../../src/shared/key-options.ts'
import { publicKeyBlob } from '../../src/workers/ssh/public-key.ts'
import { securityKey } from '../workers/ssh/signing.ts'

const base64 = publicKeyBlob(generateKeyPairSync('ed25519').publicKey).blob.toString('base64')
const key = `ssh-ed25519 ${base64}`
const options = (text: string): KeyOptions => parseKeyLine(`${text} ${key} alice`).options
/** What differs from a key without options. */
const changed = (text: string): Record<string, unknown> => {
  const found = Object.entries(options(text)).filter(([name, value]) => noOptions[name as keyof KeyOptions] !== value)
  return Object.fromEntries(found)
}
const closed = { pty: false, portForwarding: false, agentForwarding: false, x11Forwarding: false }

const meanings: readonly (readonly [text: string, meaning: Record<string, unknown>])[] = [
  ['restrict', closed],
  ['restrict,pty', { portForwarding: false, agentForwarding: false, x11Forwarding: false }],
  ['pty,restrict', closed],
  ['no-pty,no-port-forwarding', { pty: false, portForwarding: false }],
  ['no-agent-forwarding,no-X11-forwarding', { agentForwarding: false, x11Forwarding: false }],
  ['restrict,Port-Forwarding,AGENT-forwarding,x11-forwarding', { pty: false }],
  ['no-user-rc,user-rc,tunnel="0",tunnel="any"', {}],
  ['command="echo \\"a\\", b"', { command: 'echo "a", b' }],
  ['command="back\\slash \\\\ end"', { command: 'back\\slash \\\\ end' }],
  ['command=""', { command: '' }],
  ['cert-authority,principals="ops,dev"', { certAuthority: true, principals: ['ops', 'dev'] }],
  ['no-touch-required', { touchRequired: false }],
  ['no-touch-required,touch-required,no-verify-required', {}],
  ['cert-authority,verify-required', { certAuthority: true, verifyRequired: true }],
  ['expiry-time="20300102Z"', { expiresMs: Date.UTC(2030, 0, 2) }],
  ['expiry-time="203001020304Z"', { expiresMs: Date.UTC(2030, 0, 2, 3, 4) }],
  ['expiry-time="20300102030405utc"', { expiresMs: Date.UTC(2030, 0, 2, 3, 4, 5) }],
  ['expiry-time="20300102030405"', { expiresMs: new Date(2030, 0, 2, 3, 4, 5).getTime() }],
  ['expiry-time="20310101Z",expiry-time="20300101Z"', { expiresMs: Date.UTC(2030, 0, 1) }],
  ['environment="A=1",environment="B=",environment="A=2"', { environment: new Map(Object.entries({ A: '1', B: '' })) }],
  [
    'permitopen="db:5432",permitopen="[::1]:*",permitopen="*:80"',
    { permitOpen: [{ host: 'db', port: 5432 }, { host: '::1' }, { host: '*', port: 80 }] },
  ],
  [
    'permitlisten="8080",permitlisten="localhost:*",permitlisten="*"',
    { permitListen: [{ host: '*', port: 8080 }, { host: 'localhost' }, { host: '*' }] },
  ],
]
for (const [text, meaning] of meanings) {
  test(`${text} means what sshd(8) says`, () => assert.deepEqual(changed(text), meaning))
}

test('from= limits the addresses', () => {
  const { from } = options('from="192.0.2.0/24,!192.0.2.9"')
  assert.equal(from?.includes('192.0.2.1'), true)
  assert.equal(from?.includes('192.0.2.9'), false)
})

const wrong: readonly (readonly [text: string, message: RegExp])[] = [
  ['frobnicate', /has the unknown option frobnicate/],
  ['restrict,frobnicate="x"', /has the unknown option frobnicate/],
  ['restrict,', /has no option where " ssh-ed25519/],
  [',restrict', /has no option where ",restrict/],
  ['restrict pty', /is not a public key/],
  ['no-pty="yes"', /has a value for the option no-pty, which takes none/],
  ['command', /has the option command without a value, expected command="…"/],
  ['command=ls', /has the option command with a value that is not in quotes/],
  ['command="ls', /has the option command with a value that is not in quotes, or not ended by one/],
  ['command="ls\\"', /not ended by one/],
  ['command="ls"x', /has no comma or blank behind the option command/],
  ['command="a",command="b"', /unusable option command: it stands there twice/],
  ['from="*",from="10.0.0.1"', /unusable option from: it stands there twice/],
  ['from="host.example.com"', /unusable option from: .*names are not looked up/],
  ['expiry-time="tomorrow"', /unusable option expiry-time: "tomorrow" is no time/],
  ['expiry-time="20300231Z"', /"20300231Z" is no time that exists/],
  ['expiry-time="203001012460Z"', /is no time that exists/],
  ['environment="A"', /unusable option environment: expected NAME=value/],
  ['environment="A B=1"', /expected NAME=value/],
  ['permitopen="db"', /unusable option permitopen: "db" is not HOST:PORT/],
  ['permitopen="db:0"', /"0" is no port/],
  ['permitopen="::1:80"', /is not HOST:PORT/],
  ['permitlisten="65536"', /"65536" is no port/],
  ['tunnel="tap"', /unusable option tunnel/],
  ['principals="ops"', /has the option principals without cert-authority/],
  ['cert-authority,principals="a,,b"', /unusable option principals: it holds an empty name/],
  ['verify-required', /verify-required, which only security keys/],
]
for (const [text, message] of wrong) {
  test(`a line with ${text} is refused with a text that names it`, () => assert.throws(() => options(text), message))
}

test('a security key may have to verify its user', () => {
  const { algorithm, blob } = securityKey('ed25519')
  const line = `verify-required ${algorithm} ${blob.toString('base64')}`
  assert.equal(parseKeyLine(line).options.verifyRequired, true)
})

test('what stands in a command comes out of its quotes unchanged, and never ends them', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (command, comment) => {
      // A backslash before the closing quote would escape it: sshd has no way to write such a command.
      fc.pre(!command.endsWith('\\') && !command.includes('\\"'))
      const text = `restrict,command="${command.replaceAll('"', '\\"')}",pty ${comment}`
      const { options, end } = parseKeyOptions(text)
      assert.equal(options.command, command)
      assert.equal(options.pty, true)
      assert.equal(text.slice(end), ` ${comment}`)
    }),
  )
})

test('any text is a line with a key, or an Error with a sentence', () => {
  const piece = fc.constantFrom('restrict', 'command=', '"', '\\', ',', ' ', ` ${key} `, 'from="*"', '=', base64, 'x')
  fc.assert(
    fc.property(fc.array(fc.oneof(piece, fc.string({ maxLength: 4 })), { maxLength: 8 }), (pieces) => {
      try {
        assert.ok(parseKeyLine(pieces.join('')).blob.toString('base64').startsWith(base64.slice(0, 60)))
      } catch (error) {
        assert.match(String(error), /^Error: (is not|is a|has) /)
      }
    }),
    { numRuns: 2000 },
  )
})

test('lines are told from names of files, with options and without', () => {
  for (const line of [key, `  ${key}`, `restrict ${key}`, `command="ls -l" ${key} comment`])
    assert.ok(looksLikeKey(line))
  for (const name of ['/etc/keys', 'ssh-ed25519.pub', 'keys of alice']) assert.ok(!looksLikeKey(name))
  assert.deepEqual(filledLines(`# no\n\n  \n${key}\r\n`), [key])
})

test('a certificate is no key, a key is no certificate', () => {
  const type = 'ssh-ed25519-cert-v01@openssh.com'
  assert.throws(() => parseKeyLine(`${type} ${base64}`), /is a certificate; expected the key of its CA/)
  assert.throws(() => parseCertificateLine(key), /is not a certificate/)
  assert.throws(() => parseCertificateLine(`${type} ${base64}`), /is not a whole ssh-ed25519-cert/)
})
