import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { hashPassword } from '../../src/shared/password.ts'
import { startService } from '../rigs/services.ts'
import { startWebhookServer } from '../rigs/webhook-server.ts'
import { alice, call, dial, password } from './rig.ts'

let folder: string
let users: string
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'containerssh-webhook-server-'))
  users = join(folder, 'users.yaml')
})
after(() => rmSync(folder, { recursive: true, force: true }))

const start = (...args: string[]) => startWebhookServer(['--users', users, ...args])
const log = 'log: { level: debug }\n'

describe('containerssh webhook-server', () => {
  test('serves the users of its file, and those of the changed file after SIGHUP', async () => {
    const hash = await hashPassword(Buffer.from('right'))
    writeFileSync(users, `${log}users: [{ name: alice, passwordHash: "${hash}", config: { backend: docker } }]`)
    await using command = start('--listen', '127.0.0.1:0')
    const url = await command.url()
    assert.equal((await command.line('CONFIG_SERVER_AVAILABLE')).details['url'], `${url}/config`)
    const ask = async () => (await call(`${url}/password`, password('right'))).body
    assert.equal(await ask(), '{"success":true}\n')
    assert.equal((await call(`${url}/config`, alice)).body, '{"config":{"backend":"docker"}}\n')

    writeFileSync(users, `${log}users: [{ name: alice, passwrodHash: x }]`)
    command.child.kill('SIGHUP')
    const wrong = await command.line('CORE_CONFIG_ERROR')
    assert.equal(wrong.level, 'error')
    assert.match(wrong.message, /users\.yaml:2:24: users\[0\]\.passwrodHash: is not a known option/)
    assert.equal(await ask(), '{"success":true}\n')

    writeFileSync(users, `${log}users: [{ name: bob }]`)
    command.child.kill('SIGHUP')
    await command.line('CORE_CONFIG_FILE', 2)
    assert.equal(await ask(), '{"success":false}\n')
  })

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    test(`ends with status 0 after ${signal}, although somebody is connected`, async () => {
      writeFileSync(users, `${log}users: []`)
      await using command = start('--listen=127.0.0.1:0')
      const idle = await dial(await command.url())
      await command.line('CORE_CONFIG_FILE')
      command.child.kill(signal)
      await once(idle, 'close')
      assert.equal(await command.exited, 0)
    })
  }

  test('ends with status 1 when its port is taken', async () => {
    writeFileSync(users, `${log}users: []`)
    await using taken = await startService((socket) => socket.destroy())
    await using command = start('--listen', `127.0.0.1:${taken.at}`)
    assert.equal(await command.exited, 1)
    const { level, message } = await command.line('HTTP_LISTEN_FAILED')
    assert.equal(level, 'crit')
    assert.match(message, /^Webhook server cannot listen on 127\.0\.0\.1:\d+\. .*EADDRINUSE/)
  })

  test('ends with status 1 and one record per wrong place of its file', async () => {
    writeFileSync(users, 'users: [{ authorized: maybe }]')
    await using command = start()
    assert.equal(await command.exited, 1)
    assert.deepEqual(
      command.lines.map(({ code, level }) => [code, level]),
      [
        ['CORE_CONFIG_ERROR', 'crit'],
        ['CORE_CONFIG_ERROR', 'crit'],
      ],
    )
  })

  test('ends with status 1 when certificates cannot be used', async () => {
    writeFileSync(users, 'users: []')
    await using command = start('--tls-cert', '/nowhere', '--tls-key', '/nowhere')
    assert.equal(await command.exited, 1)
    assert.match((await command.line('CORE_CONFIG_ERROR')).message, /the certificate: the file "\/nowhere" cannot be/)
  })

  test('warns when strangers can reach it', async () => {
    writeFileSync(users, `${log}users: []`)
    await using command = start('--listen', '0.0.0.0:0')
    assert.match((await command.line('CORE_CONFIG_WARNING')).message, /0\.0\.0\.0:0 can try passwords/)
  })
})
