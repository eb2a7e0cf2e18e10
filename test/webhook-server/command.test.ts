import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, describe, test } from 'node:test'
import { hashPassword } from '../../src/shared/password.ts'
import { cli, type LogLine, record, until } from '../rigs/daemon.ts'
import { startService } from '../rigs/services.ts'
import { alice, call, dial, password } from './rig.ts'

interface Command extends AsyncDisposable {
  readonly child: ChildProcess
  readonly lines: readonly LogLine[]
  line(code: string, count?: number): Promise<LogLine>
  readonly exited: Promise<number | null>
}

let folder: string
let users: string
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'containerssh-webhook-server-'))
  users = join(folder, 'users.yaml')
})
after(() => rmSync(folder, { recursive: true, force: true }))

function start(...args: string[]): Command {
  const child = spawn(process.execPath, [cli, 'webhook-server', '--users', users, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const lines: LogLine[] = []
  createInterface({ input: child.stdout }).on('line', (text) => {
    record(text)
    lines.push(JSON.parse(text) as LogLine)
  })
  const exited = once(child, 'close').then(([code]) => code as number | null)
  return {
    child,
    lines,
    exited,
    line: (code, count = 1) => until(code, () => lines.filter((line) => line.code === code)[count - 1]),
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await exited
    },
  }
}
const urlOf = async (command: Command): Promise<string> => String((await command.line('AUTH_AVAILABLE')).details['url'])
const log = 'log: { level: debug }\n'

describe('containerssh webhook-server', () => {
  test('serves the users of its file, and those of the changed file after SIGHUP', async () => {
    const hash = await hashPassword(Buffer.from('right'))
    writeFileSync(users, `${log}users: [{ name: alice, passwordHash: "${hash}", config: { backend: docker } }]`)
    await using command = start('--listen', '127.0.0.1:0')
    const url = await urlOf(command)
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
      const idle = await dial(await urlOf(command))
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
