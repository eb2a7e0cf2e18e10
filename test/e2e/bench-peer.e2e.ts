/** The bench's way to other gateways, with a copy of our own daemon in the place of one. */
import assert from 'node:assert/strict'
import { chmodSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { makeCredentials } from '../../bench/credentials.ts'
import { executionIn } from '../../bench/engine.ts'
import { buildLoad, runLoad, targetFlags } from '../../bench/load.ts'
import { peersOf, startPeer } from '../../bench/peer.ts'
import { startWebhook } from '../../bench/questions/webhook.ts'

const cli = resolve(import.meta.dirname, '../../src/primary/cli.ts')
const docker = { connection: { host: 'unix:///var/run/docker.sock' }, execution: executionIn('busybox') }

for (const [how, success] of [
  ['lets users in whom the webhook lets in', true],
  ['turns users away whom the webhook turns away', false],
] as const) {
  test(`a program that PEER_NAME names is started with a configuration by which it ${how}`, async () => {
    using credentials = await makeCredentials()
    const program = join(credentials.directory, 'gateway')
    writeFileSync(program, `#!/bin/sh\nexec ${process.execPath} ${cli} "$@"\n`)
    chmodSync(program, 0o700)
    const [peer] = peersOf({ PEER_COPY: program })
    assert.ok(peer !== undefined)
    const signal = AbortSignal.timeout(60_000)
    const load = await buildLoad(signal)
    await using webhook = await startWebhook({ success })
    await using server = await startPeer(peer, webhook.url, docker)(credentials, signal)
    assert.equal(server.name, 'copy')
    const login = runLoad(load, 'login', [...targetFlags(server, 'password'), '-count', '3'], signal)
    if (success) assert.equal((await login).logins, 3)
    else await assert.rejects(login, /unable to authenticate/)
  })
}
