import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { dumpConfig } from '../../../src/shared/config/dump.ts'
import { ConfigErrors, parseConfig } from '../../../src/shared/config/load.ts'
import { type Authority, createAuthority } from '../../rigs/certificates.ts'

const key = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHtVWvScl65aQ3fNkTCq4wNi8Qd3dpT1CQ0v9lPz1a8y alice'
const auth = async (source: string, file = 'c.yaml') => (await parseConfig(file, source)).config.auth
const errors = async (source: string): Promise<readonly string[]> => {
  try {
    await parseConfig('c.yaml', source)
    return []
  } catch (error) {
    assert.ok(error instanceof ConfigErrors, String(error))
    return error.lines
  }
}
const webhook = (more = ''): string => `auth: {password: {method: webhook, webhook: {url: "http://hook"${more}}}}`

describe('webhooks', () => {
  test('a webhook lets people in, so no users are needed', async () => {
    assert.equal((await auth(webhook())).password.webhook.url, 'http://hook')
  })

  const wrong: readonly (readonly [source: string, line: string | RegExp])[] = [
    ['auth: {password: {method: webhook}}', 'c.yaml:1:18: auth.password.webhook.url: is missing; the webhook needs it'],
    [webhook().replace('http://hook', '/foo'), /auth\.password\.webhook\.url: "\/foo" is not a URL; expected e\.g\./],
    [webhook().replace('http://hook', 'ftp://foo'), /"ftp:\/\/foo" is not a URL/],
    [webhook().replace('http://hook', 'http://a/%zz'), /"http:\/\/a\/%zz" is not a URL/],
    [webhook().replace('http://hook', 'http://me:topsecret@a b'), /webhook\.url: the value is not a URL/],
    [webhook(', timeout: 50ms'), /timeout: 50ms is too short/],
    [webhook(', curve: [x25519]'), /webhook\.curve: is not a known option; did you mean curves\?/],
    [webhook(', cacert: /nonexistent'), /webhook\.cacert: the file "\/nonexistent" cannot be read \(ENOENT\)/],
    [webhook(', cacert: "-----nothing"'), /webhook\.cacert: the text holds no certificate in PEM form/],
    ['auth: {password: {method: kerberos}}', 'c.yaml:1:27: auth.password.method: is not supported by this version yet'],
    ['auth: {keyboardInteractive: {method: oauth2}}', /keyboardInteractive\.method: is not supported/],
    ['auth: {authz: {method: webhook, webhook: {url: "http://x"}}}', /auth\.users: nobody could log in/],
  ]
  for (const [source, line] of wrong) {
    test(`${source.slice(0, 90)} is refused with one line that names it`, async () => {
      const [first = '', ...more] = await errors(source)
      assert.deepEqual(more, [])
      if (typeof line === 'string') assert.equal(first, line)
      else assert.match(first, line)
    })
  }

  test('certificates and keys of webhooks that are off are not even looked at', async () => {
    const off = `${webhook()}\n`.replace('}}}', '}}, publicKey: {webhook: {cacert: /nonexistent}}}')
    assert.deepEqual(await errors(off), [])
  })
})

describe('certificates and keys', () => {
  let authority: Authority
  before(() => {
    authority = createAuthority()
  })
  after(() => authority[Symbol.dispose]())

  test('files are read, and a certificate needs its own key', async () => {
    const own = authority.issue('own', 'DNS:own')
    const other = authority.issue('other', 'DNS:other')
    const { certFile, keyFile } = own
    const loaded = await auth(webhook(`, cacert: ${authority.ca.certFile}, cert: ${certFile}, key: ${keyFile}`))
    assert.deepEqual(
      [loaded.password.webhook.cacert, loaded.password.webhook.cert, loaded.password.webhook.key],
      [authority.ca.cert, own.cert, own.key],
    )
    assert.match((await errors(webhook(`, cert: ${certFile}`))).join(), /cert: needs a key/)
    assert.match((await errors(webhook(`, key: ${keyFile}`))).join(), /key: needs a certificate/)
    const mixed = await errors(webhook(`, cert: ${certFile}, key: ${other.keyFile}`))
    assert.match(mixed.join(), /key: does not belong to the certificate/)
    const text = join(authority.folder, 'text')
    writeFileSync(text, 'hello')
    const unusable = (await errors(webhook(`, cert: ${text}, key: ${text}`))).join('\n')
    assert.match(unusable, /cert: the file ".*" holds no certificate in PEM form/)
    assert.match(unusable, /key: the file ".*" holds no private key without a passphrase in PEM form/)
  })
})

describe('the form before 0.5', () => {
  const deprecated =
    'is deprecated; write auth.password.webhook.url and auth.publicKey.webhook.url, with method: webhook'

  test('auth.url is the webhook of both methods, with its options and with authTimeout, and a warning says so', async () => {
    const source = 'auth:\n  url: http://old\n  timeout: 3s\n  authTimeout: 5s\n  password: true\n  pubkey: true\n'
    const { config, deprecations } = await parseConfig('c.yaml', source)
    for (const { method, webhook } of [config.auth.password, config.auth.publicKey]) {
      assert.deepEqual(
        [method, webhook.url, webhook.timeout, webhook.authTimeout],
        ['webhook', 'http://old', 3000, 5000],
      )
    }
    assert.deepEqual([config.auth.url, config.auth.timeout], ['', 2000])
    assert.deepEqual(
      deprecations.map(({ line, record }) => [record.code, line]),
      [['CONFIG_AUTH_URL_DEPRECATED', `c.yaml:2:3: auth.url: ${deprecated}`]],
    )
  })

  test('a method that is switched off stays off, one that is configured otherwise stays so', async () => {
    const off = await auth('auth: {url: "http://old", pubkey: false}')
    assert.deepEqual([off.password.method, off.publicKey.method], ['webhook', ''])
    const no = await auth('auth: {url: "http://old", password: false}')
    assert.deepEqual([no.password.method, no.publicKey.method], ['', 'webhook'])
    const own = await auth('auth: {url: "http://old", publicKey: {method: webhook, webhook: {url: "http://new"}}}')
    assert.deepEqual([own.password.webhook.url, own.publicKey.webhook.url], ['http://old', 'http://new'])
  })

  test('the new form takes precedence', async () => {
    const { config, deprecations } = await parseConfig(
      'c.yaml',
      webhook().replace('auth: {', 'auth: {url: "http://old", '),
    )
    assert.equal(config.auth.password.webhook.url, 'http://hook')
    assert.equal(config.auth.publicKey.method, '')
    assert.match(deprecations[0]?.line ?? '', /auth\.password\.webhook\.url takes precedence/)
  })

  test('what is wrong in it is found where it stands', async () => {
    const [first = ''] = await errors('auth:\n  url: http://old\n  timeout: 5x\n')
    assert.match(first, /^c\.yaml:3:12: auth\.timeout: "5x" is not a duration/)
  })

  test('keys of JSON may be written in any case', async () => {
    const loaded = await auth('{"AUTH": {"URL": "http://old", "PubKey": false, "AuthTimeout": "7s"}}', 'c.json')
    assert.deepEqual([loaded.password.webhook.authTimeout, loaded.publicKey.method], [7000, ''])
  })

  test('without a URL its switches mean nothing', async () => {
    assert.match((await errors('auth: {password: true, pubkey: true}')).join(), /nobody could log in/)
    const users = `auth: {password: false, users: [{name: a, authorizedKeys: ['${key}']}]}`
    assert.deepEqual(await errors(users), [])
  })

  test('the translation dumps and loads to the same', async () => {
    const { config } = await parseConfig('c.yaml', 'auth: {url: "http://old", timeout: 3s}')
    assert.deepEqual((await parseConfig('c.yaml', dumpConfig(config, { showSecrets: true }))).config, config)
  })
})

describe('chains', () => {
  const users = `users: [{name: a, authorizedKeys: ['${key}']}]`

  test('methods that somebody can pass can be required together', async () => {
    const both = webhook().replace('auth: {', `auth: {${users}, required: [[publickey, password], [password]], `)
    assert.deepEqual((await auth(both)).required, [['publickey', 'password'], ['password']])
    const { config } = await parseConfig('c.yaml', both)
    assert.deepEqual((await parseConfig('c.yaml', dumpConfig(config, { showSecrets: true }))).config, config)
  })

  const wrong: readonly (readonly [required: string, line: RegExp])[] = [
    [
      '[[publickey, password]]',
      /auth\.required\[0\]\[1\]: nobody could pass "password"; auth\.password\.method is not set/,
    ],
    ['[[publickey, publickey]]', /auth\.required\[0\]\[1\]: "publickey" stands here a second time/],
    ['[[]]', /auth\.required\[0\]: is empty; expected e\.g\. \[publickey, password\]/],
    ['[[hostbased]]', /auth\.required\[0\]\[0\]: "hostbased" is not known; expected one of publickey, password/],
    ['[publickey]', /auth\.required\[0\]: "publickey" is not a list/],
  ]
  for (const [required, line] of wrong) {
    test(`${required} is refused`, async () => {
      assert.match((await errors(`auth: {${users}, required: ${required}}`)).join('\n'), line)
    })
  }
})
