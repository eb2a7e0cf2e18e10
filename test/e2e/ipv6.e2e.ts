import assert from 'node:assert/strict'
import { test } from 'node:test'
import { login } from '../rigs/login.ts'
import { rawClient } from '../rigs/raw.ts'
import { client } from '../rigs/ssh.ts'

for (const listen of ['[::1]:0', '[::]:0', ':0']) {
  test(`listening on ${listen}, OpenSSH logs in over ::1 and the log has that address`, async () => {
    await using host = await login({ ssh: { listen } })
    const available = await host.daemon.line('SSH_AVAILABLE')
    assert.match(String(available.details['listen']), listen === '[::1]:0' ? /^\[::1\]:\d+$/ : /^\[::\]:\d+$/)
    const { code, stderr } = await client(host.daemon.port, host.key, host.user, '::1').run(['exit 5'])
    assert.equal(code, 5, stderr)
    const success = await host.daemon.line('SSH_AUTH_SUCCESSFUL')
    assert.equal(success.details['remoteAddr'], '::1')
  })
}

for (const listen of ['[::]:0', ':0']) {
  test(`listening on ${listen}, clients over IPv4 are served too, and nowhere look like IPv6`, async () => {
    await using host = await login({ ssh: { listen, maxStartupsPerSource: 2 } })
    const { code } = await host.client.run(['exit 4'], { options: ['-b', '127.0.0.9'] })
    assert.equal(code, 4)
    assert.equal((await host.daemon.line('SSH_AUTH_SUCCESSFUL')).details['remoteAddr'], '127.0.0.9')
    // Each IPv4 address is a source of its own, not one of ::ffff:0:0/96.
    const held = ['127.0.0.1', '127.0.0.1', '127.0.0.3', '127.0.0.3'].map((from) => rawClient(host.daemon.port, from))
    for (const one of held) assert.match(await one.receives(/\r\n/), /^SSH-/)
    assert.match(await rawClient(host.daemon.port, '127.0.0.3').ended, /SSH_HANDSHAKE_LIMIT/)
    assert.ok(!JSON.stringify(host.daemon.lines).includes('::ffff:'))
    for (const one of held) one.socket.destroy()
  })
}
