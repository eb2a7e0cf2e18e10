import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { ConfigErrors } from '../../src/shared/config/problems.ts'
import { hashPassword } from '../../src/shared/password.ts'
import { createWebhookServer } from '../../src/webhook-server/index.ts'
import { handlersOf } from '../../src/webhook-server/users/handlers.ts'
import { loadUsers } from '../../src/webhook-server/users/load.ts'
import { type Key, makeKey } from '../rigs/ssh.ts'
import { alice, call, password, start } from './rig.ts'

let folder: string
let key: Key
let hash: string
before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'containerssh-users-'))
  key = makeKey()
  hash = await hashPassword(Buffer.from('right'))
})
after(() => {
  rmSync(folder, { recursive: true, force: true })
  key[Symbol.dispose]()
})

const load = (text: string, name = 'users.yaml') => {
  const file = join(folder, name)
  writeFileSync(file, text)
  return loadUsers(file)
}

describe('a file of users', () => {
  test('is served with all five webhooks', async () => {
    const { log, users } = await load(`
users:
  - name: alice
    passwordHash: ${hash}
    authorizedKeys: ["${key.line}"]
    authenticatedUsername: alice@example.com
    metadata: { TEAM: blue, ID: 0123 }
    environment: { TOKEN: { value: x, sensitive: true } }
    files: { /etc/motd: "hi\\n", /bin/x: { base64: AP8= } }
    config: { docker: { execution: { container: { image: busybox } } } }
  - name: bob
    authorizedKeys: [${key.file}.pub]
    authorized: false
`)
    assert.equal(log.level, 'info')
    await using started = await start((options) => createWebhookServer(handlersOf(users), options))
    const ask = async (path: string, body: object) => JSON.parse((await call(started.url + path, body)).body)
    const known = {
      success: true,
      authenticatedUsername: 'alice@example.com',
      metadata: { TEAM: { value: 'blue', sensitive: false }, ID: { value: '0123', sensitive: false } },
      environment: { TOKEN: { value: 'x', sensitive: true } },
      files: {
        '/etc/motd': { value: 'aGkK', sensitive: false },
        '/bin/x': { value: 'AP8=', sensitive: false },
      },
    }
    const refused = { success: false }
    assert.deepEqual(await ask('/password', password('right')), known)
    for (const [username, text] of [
      ['alice', 'wrong'],
      ['bob', 'right'],
      ['nobody', 'right'],
      ['__proto__', ''],
    ] as const) {
      assert.deepEqual(await ask('/password', { ...password(text), username }), refused)
    }

    const publicKey = key.line.split(' ', 2).join(' ')
    assert.deepEqual(await ask('/pubkey', { ...alice, publicKey }), known)
    assert.deepEqual(await ask('/pubkey', { user: 'bob', publicKeyBase64: publicKey.split(' ')[1] }), { success: true })
    assert.deepEqual(await ask('/pubkey', { ...alice, publicKey: 'ssh-ed25519 AAAA' }), refused)
    assert.deepEqual(await ask('/pubkey', { ...alice, username: 'nobody', publicKey }), refused)

    const interactive = '/keyboard-interactive'
    const challenge = { challenge: { prompts: [{ text: 'Password: ', echo: false }] } }
    assert.deepEqual(await ask(interactive, alice), challenge)
    assert.deepEqual(await ask(interactive, { ...alice, username: 'nobody' }), challenge)
    const right = Buffer.from('right').toString('base64')
    assert.deepEqual(await ask(interactive, { ...alice, answersBase64: [right] }), known)
    assert.deepEqual(await ask(interactive, { ...alice, answersBase64: [] }), refused)

    assert.deepEqual(await ask('/authz', alice), known)
    assert.deepEqual(await ask('/authz', { ...alice, username: 'bob' }), refused)
    assert.deepEqual(await ask('/authz', { ...alice, username: 'nobody' }), refused)
    const config = { docker: { execution: { container: { image: 'busybox' } } } }
    assert.deepEqual(await ask('/config', alice), { config })
    assert.deepEqual(await ask('/config', { ...alice, username: 'nobody' }), {})
  })

  test('answers with 503 when more passwords are to be looked at than there is room for', async () => {
    const { users } = await load(`users: [{ name: alice, passwordHash: "${hash}" }]`)
    const handlers = handlersOf(users, { concurrency: 1, waiting: 1 })
    await using started = await start((options) => createWebhookServer(handlers, options))
    const asked = Array.from({ length: 4 }, (_, index) => call(`${started.url}/password`, password(`wrong ${index}`)))
    const statuses = (await Promise.all(asked)).map(({ status }) => status)
    assert.deepEqual(statuses.sort(), [200, 200, 503, 503])
    assert.ok(!started.records.some(({ level }) => level === 'error'))
  })

  const wrong: readonly (readonly [what: string, text: string, line: RegExp])[] = [
    ['nothing', '', /^users\.yaml: is empty$/],
    ['no YAML', 'users: [', /^users\.yaml:1:\d+: is not YAML/],
    [
      'an unknown option',
      'users:\n  - name: x\n    nmae: x',
      /^users\.yaml:3:5: users\[0\]\.nmae: is not a known option/,
    ],
    ['no name', 'users: [{ authorized: true }]', /users\[0\]\.name: is missing/],
    ['a password', 'users: [{ name: a, password: topsecret }]', /password: the value is not read; .*hash-password/],
    ['no hash', 'users: [{ name: a, passwordHash: topsecret }]', /passwordHash: the value is not a hash in PHC form/],
    [
      'a name that stands there twice',
      'users: [{ name: a }, { name: a }]',
      /users\[1\]\.name: "a" stands here a second/,
    ],
    [
      'no key',
      'users: [{ name: a, authorizedKeys: [x] }]',
      /authorizedKeys\[0\]: "x" is neither a public key nor a file/,
    ],
    ['a variable that cannot be', 'users: [{ name: a, environment: { A=B: c } }]', /environment: .*name of a variable/],
    [
      'a relative path',
      'users: [{ name: a, files: { etc/motd: c } }]',
      /users\[0\]\.files: .* is not an absolute path/,
    ],
    ['no base64', 'users: [{ name: a, files: { /x: { base64: "topsecret!" } } }]', /base64: the value is not base64/],
    ['two contents', 'users: [{ name: a, files: { /x: { base64: "", value: y } } }]', /has both value and base64/],
    [
      'a list as value',
      'users: [{ name: a, metadata: { A: [topsecret] } }]',
      /metadata\.A: the value is neither a text/,
    ],
    [
      'an unknown option in the configuration of a user',
      'users:\n  - name: a\n    config:\n      docker: { exection: {} }',
      /^users\.yaml:4:17: users\[0\]\.config\.docker\.exection: is not a known option; did you mean execution\?/,
    ],
    [
      'a number where a text belongs',
      'users: [{ name: a, config: { backend: 5 } }]',
      /^users\.yaml:1:\d+: users\[0\]\.config\.backend: 5 is not a text/,
    ],
  ]
  for (const [what, text, line] of wrong) {
    test(`with ${what} is refused by the place`, async () => {
      await assert.rejects(load(text), (error) => {
        assert.ok(error instanceof ConfigErrors)
        assert.equal(error.lines.length, 1, error.message)
        assert.match(error.message, line)
        assert.ok(!error.message.includes('topsecret'))
        return true
      })
    })
  }

  test('with a key that has options is refused: no webhook could send them', async () => {
    const lines = [`'command="true" ${key.line}'`, `'cert-authority ${key.line}'`, `'restrict ${key.line}'`]
    for (const line of lines) {
      await assert.rejects(load(`users: [{ name: a, authorizedKeys: [${line}] }]`), /has options; a webhook cannot/)
    }
  })

  test('may be JSON', async () => {
    const { users } = await load('{"users":[{"name":"a","environment":{"A":"b"}}]}', 'users.json')
    assert.deepEqual(users[0]?.environment, { A: 'b' })
  })

  test('that is not there is an error with its name', async () => {
    await assert.rejects(loadUsers(join(folder, 'nowhere.yaml')), /nowhere\.yaml: cannot be read/)
  })
})
