/** Ways to the engine: every form of its address, TLS with certificates of both sides, versions of its API. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { Fault } from '../../src/shared/codes/fault.ts'
import { type Authority, type Certificate, createAuthority } from '../rigs/certificates.ts'
import { until } from '../rigs/daemon.ts'
import { engine, image } from '../rigs/docker.ts'
import { engineProxy } from '../rigs/engine-proxy.ts'
import { type PrivateEngine, privateEngine } from '../rigs/private-engine.ts'
import { exec, pty, type Rig, type RoomOptions, room, run, size, talk } from './rig.ts'

/** What uses every kind of call: a body, an upgrade, half-close, a resize, a helper, the stream of events. */
async function works(rig: Rig): Promise<void> {
  const session = rig.enter()
  const text = 'x'.repeat(300_000)
  const { exit, stdout } = await run(session, 'cat; exit 3', text)
  assert.deepEqual([exit, stdout.length], [{ kind: 'status', code: 3 }, text.length])
  const terminal = await talk(session, { keepOpen: true })
  await terminal.start(pty(80, 24))
  await terminal.start(exec('echo ready; read line; stty size; sleep 100'))
  await until('ready', () => terminal.stdout.text.includes('ready'))
  await terminal.start({ kind: 'window-change', size: size(99, 44) })
  terminal.stdin.write('\n')
  await until('the size', () => terminal.stdout.text.includes('44 99'))
  await terminal.start({ kind: 'signal', name: 'TERM' })
  assert.equal((await terminal.exit).kind, 'signal')
  await session[Symbol.asyncDispose]()
  assert.deepEqual(await rig.containers(), [])
}

async function failure(rig: Rig): Promise<Fault> {
  const error = await rig.backend.open(rig.occupant, new AbortController().signal).catch((thrown: unknown) => thrown)
  assert.ok(error instanceof Fault)
  return error
}

/** TCP in front of the engine's socket. */
async function relay(): Promise<AsyncDisposable & { readonly port: number }> {
  const { socketPath } = await engine()
  const open = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true }, (near) => {
    const far = connect({ path: socketPath, allowHalfOpen: true })
    for (const socket of [near, far]) {
      open.add(socket)
      socket.on('error', () => [near, far].map((one) => one.destroy())).on('close', () => open.delete(socket))
    }
    near.pipe(far).pipe(near)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

describe('an engine without TLS', { concurrency: 3 }, () => {
  for (const prefix of ['tcp://', 'http://', '']) {
    test(`is reached as ${prefix}host:port`, async () => {
      await using tcp = await relay()
      await using rig = await room({ host: `${prefix}127.0.0.1:${tcp.port}` })
      await works(rig)
    })
  }

  for (const [least, most, spoken] of [
    ['1.12', '1.40', '1.40'],
    ['1.24', '1.99', '1.47'],
  ] as const) {
    test(`that speaks ${least} to ${most} is spoken to in ${spoken}`, async () => {
      const rewrite = (body: string): string =>
        JSON.stringify({ ...JSON.parse(body), ApiVersion: most, MinAPIVersion: least })
      await using proxy = await engineProxy([{ match: /^GET \/version/, rewrite }])
      await using rig = await room({ host: proxy.host })
      // What the engine is asked in; one that is older than that refuses it.
      const open = rig.backend.open(rig.occupant, new AbortController().signal)
      if (spoken === '1.40') await (await open)[Symbol.asyncDispose]()
      else await assert.rejects(open, /./)
      assert.deepEqual(proxy.versions, new Set([spoken]))
    })
  }
})

describe('an engine with TLS', { concurrency: 3 }, () => {
  let authority: Authority
  let own: PrivateEngine
  let client: Certificate
  before(async () => {
    authority = createAuthority()
    const server = authority.issue('engine', 'IP:127.0.0.1,DNS:localhost')
    client = authority.issue('client', 'DNS:client')
    own = await privateEngine({ ca: authority.ca, server })
  })
  after(async () => {
    await own[Symbol.asyncDispose]()
    authority[Symbol.dispose]()
  })
  const secured = async (host: string, more: Partial<RoomOptions> = {}): Promise<Rig> =>
    room({
      host,
      engine: { ...own, image },
      tls: { cacert: authority.ca.cert, cert: client.cert, key: client.key },
      execution: { host: { NetworkMode: 'none' } },
      timeouts: { containerStart: 30_000 },
      ...more,
    })

  for (const prefix of ['tcp://127.0.0.1', 'https://127.0.0.1', 'localhost']) {
    test(`is reached as ${prefix}:port, with certificates of both sides`, async () => {
      await using rig = await secured(`${prefix}:${own.port}`)
      await works(rig)
    })
  }

  test('does not serve a client with a certificate of somebody else', async () => {
    using other = createAuthority()
    const { cert, key } = other.issue('client', 'DNS:client')
    const tls = { cacert: authority.ca.cert, cert, key }
    await using rig = await secured(`tcp://127.0.0.1:${own.port}`, { tls, timeouts: { containerStart: 700 } })
    const fault = await failure(rig)
    assert.equal(fault.code, 'DOCKER_IMAGE_LISTING_FAILED')
    assert.match(String(fault.labels['reason']), /the engine at tcp:.* does not answer/)
  })

  test('is not believed when its certificate is of somebody else', async () => {
    using other = createAuthority()
    const tls = { cacert: other.ca.cert, cert: client.cert, key: client.key }
    await using rig = await secured(`tcp://127.0.0.1:${own.port}`, { tls, timeouts: { containerStart: 700 } })
    assert.match(String((await failure(rig)).labels['reason']), /unable to verify|self-signed|certificate/)
  })

  test('is not asked by a client whose certificate and key do not fit together: that is an error of configuration', async () => {
    const { key } = authority.issue('another', 'DNS:client')
    for (const tls of [
      { cacert: authority.ca.cert, cert: client.cert, key },
      { cacert: authority.ca.cert, cert: 'garbage', key: client.key },
    ]) {
      await assert.rejects(secured(`tcp://127.0.0.1:${own.port}`, { tls }), (error: unknown) => {
        assert.ok(error instanceof Fault)
        assert.equal(error.code, 'DOCKER_CONFIG_ERROR')
        assert.match(error.message, /cacert, cert and key make no TLS client/)
        return true
      })
    }
  })
})
