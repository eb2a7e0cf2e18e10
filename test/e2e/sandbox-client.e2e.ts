/** What the OpenSSH client can do besides running commands, in a sandbox; and what webhooks say of one. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { until } from '../rigs/daemon.ts'
import { sayHello, startDisplay, startOwnAgent } from '../rigs/desktop.ts'
import { type SandboxLogin, sandboxLogin } from '../rigs/sandbox-login.ts'
import { anyForwarding } from '../rigs/server.ts'
import { answering, converse, folder, freePort, startService } from '../rigs/services.ts'
import { visit } from '../rigs/visit.ts'
import { always, startWebhook } from '../rigs/webhook.ts'

const run = promisify(execFile)
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const large = randomBytes(4 * 1024 * 1024)
const services = [
  'busybox nc -ll -p 7000 -e cat &',
  'while ! busybox netstat -ltn | grep -q 7000; do :; done; echo ready; cat',
].join('\n')
const text = (value: string) => ({ value: Buffer.from(value).toString('base64') })

describe('the OpenSSH client and a sandbox', { concurrency: 1 }, () => {
  let host: SandboxLogin
  const home = () => ({
    client: host.client,
    user: host.user,
    noContainers: async () => void (await until('no sandbox', () => host.folders().length === 0)),
  })
  before(async () => {
    host = await sandboxLogin({ network: 'loopback' }, { security: anyForwarding })
  })
  after(() => host[Symbol.asyncDispose]())

  test('ssh -L and -R reach ports and sockets there and here', async () => {
    using sockets = folder()
    await using service = await startService(answering((received) => `got ${received.length}`))
    const port = await freePort()
    const here = sockets.path('here')
    const forwards = ['-L', `${port}:127.0.0.1:7000`, '-L', `${here}:/tmp/door`]
    const back = ['-R', `0:127.0.0.1:${service.at}`, '-R', `/tmp/door:127.0.0.1:${service.at}`]
    await using client = await visit(home(), services, [...forwards, ...back])
    assert.equal(sha256(await converse(port, large)), sha256(large))
    const [, chosen] = await client.said(/Allocated port (\d+) for remote forward/)
    const { stdout } = await client.inside(`head -c 100000 /dev/zero | busybox nc localhost ${chosen}`)
    assert.equal(stdout.toString(), 'got 100000')
    assert.equal((await converse(here, 'through two sockets')).toString(), 'got 19')
  })

  test('ssh -A and -X bring the agent and the display of the client', async () => {
    await using agent = await startOwnAgent()
    await using display = await startDisplay()
    const command = `ssh-add -L; ${sayHello.replaceAll('nc ', 'busybox nc ')}; echo; echo ready; cat`
    await using client = await visit(home(), command, ['-A', '-Y'], { ...display.env, ...agent.env })
    await client.said(agent.said)
    await client.said(/welcome/)
    assert.match(await display.heard, /request$/)
  })

  for (const [name, program, words] of [
    ['scp', 'scp', []],
    ['scp -O', 'scp', ['-O']],
  ] as const) {
    test(`${name} copies a file there and back, within a connection`, async () => {
      using files = folder()
      const options = [...host.client.options, '-o', `ControlPath=${files.path('c')}`]
      const remote = `${host.user}@127.0.0.1`
      const port = String(host.client.port)
      await run('ssh', [...options, '-M', '-N', '-f', '-p', port, remote])
      writeFileSync(files.path('there'), large)
      await run(program, [...words, ...options, '-P', port, files.path('there'), `${remote}:/tmp/copied`])
      await run(program, [...words, ...options, '-P', port, `${remote}:/tmp/copied`, files.path('back')])
      assert.ok(readFileSync(files.path('back')).equals(large))
      await run('ssh', [...options, '-O', 'exit', remote])
      await home().noContainers()
    })
  }

  test('sftp copies, lists and removes', async () => {
    using files = folder()
    writeFileSync(files.path('there'), large)
    const batch = [
      `put ${files.path('there')} /tmp/it`,
      'ls -l /tmp',
      `get /tmp/it ${files.path('back')}`,
      'rm /tmp/it',
    ]
    writeFileSync(files.path('batch'), `${batch.join('\n')}\n`)
    const options = [...host.client.options, '-P', String(host.client.port), '-b', files.path('batch')]
    const { stdout } = await run('sftp', [...options, `${host.user}@127.0.0.1`])
    assert.match(stdout, /4194304 .*\/tmp\/it|4194304 .* it/)
    assert.ok(readFileSync(files.path('back')).equals(large))
  })
})

test('webhooks give a user a sandbox of his own kind, with variables and files', async () => {
  await using auth = await startWebhook(
    always({
      success: true,
      metadata: { TEAM: { value: 'blue' } },
      environment: { FROM: { value: 'auth' } },
      files: { '/tmp/note': text('from auth\n') },
    }),
  )
  await using server = await startWebhook(
    always({ config: { sandbox: { hostname: 'annas', user: { name: 'anna', uid: 4711 } } } }),
  )
  await using host = await sandboxLogin(
    {},
    { auth: { publicKey: { method: 'webhook', webhook: { url: auth.url } } }, configserver: { url: server.url } },
  )
  const { code, stdout } = await host.client.run(['hostname; id -un; id -u; echo "$FROM"; cat /tmp/note; exit 7'])
  assert.deepEqual([code, stdout.toString()], [7, 'annas\nanna\n4711\nauth\nfrom auth\n'])
})
