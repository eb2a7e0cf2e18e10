import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { test } from 'node:test'
import { createPool, type Life, type Pool, type Service } from '../../src/primary/services.ts'
import { createLog } from '../../src/shared/log.ts'

/** A service that a test holds by its strings. */
interface Puppet extends Service {
  life: Life | undefined
  end(): void
  crash(error: Error): void
}
function puppet(name: string, options: { deaf?: boolean; early?: boolean } = {}): Puppet {
  const over = Promise.withResolvers<void>()
  const self: Puppet = {
    name,
    life: undefined,
    end: () => over.resolve(),
    crash: (error) => over.reject(error),
    async run(life) {
      self.life = life
      if (options.early === true) life.running()
      const stopped = life.stop.aborted ? Promise.resolve() : once(life.stop, 'abort')
      await Promise.race(options.deaf === true ? [over.promise] : [over.promise, stopped])
    },
  }
  return self
}
function watched(services: readonly Service[]): { pool: Pool; lines: string[] } {
  const lines: string[] = []
  const log = createLog({
    level: 'debug',
    write({ code, labels }) {
      assert.equal(labels['module'], 'service')
      lines.push([code.replace('SERVICE_', ''), labels['service']].filter(Boolean).join(' '))
    },
  })
  return { pool: createPool(services, log), lines }
}

test('the pool runs when every member runs, in whatever order they get there, and stops in reverse order', async () => {
  const [a, b, c] = [puppet('a'), puppet('b'), puppet('c')]
  const { pool, lines } = watched([a, b, c])
  const ended = pool.run()
  assert.equal(pool.state, 'starting')
  c.life?.running()
  a.life?.running()
  assert.equal(pool.state, 'starting')
  b.life?.running()
  assert.equal(pool.state, 'running')
  pool.stop()
  pool.stop()
  assert.equal(pool.state, 'stopping')
  assert.equal(await ended, undefined)
  assert.equal(pool.state, 'stopped')
  assert.deepEqual(lines, [
    ...[
      'POOL_STARTING',
      'STARTING a',
      'STARTING b',
      'STARTING c',
      'RUNNING c',
      'RUNNING a',
      'RUNNING b',
      'POOL_RUNNING',
    ],
    ...[
      'POOL_STOPPING',
      'STOPPING c',
      'STOPPED c',
      'STOPPING b',
      'STOPPED b',
      'STOPPING a',
      'STOPPED a',
      'POOL_STOPPED',
    ],
  ])
})

test('a hundred members that run at once are all counted', async () => {
  const members = Array.from({ length: 100 }, (_, i) => puppet(String(i), { early: true }))
  const { pool } = watched(members)
  const ended = pool.run()
  assert.equal(pool.state, 'running')
  pool.stop()
  await ended
})

test('a member that says twice that it runs is not two members', async () => {
  const [a, b] = [puppet('a'), puppet('b')]
  const { pool } = watched([a, b])
  const ended = pool.run()
  a.life?.running()
  a.life?.running()
  assert.equal(pool.state, 'starting')
  pool.stop()
  await ended
})

test('a stop while members are starting ends them, and the pool is never running', async () => {
  const [a, b] = [puppet('a'), puppet('b')]
  const { pool, lines } = watched([a, b])
  const ended = pool.run()
  a.life?.running()
  pool.stop()
  assert.equal(await ended, undefined)
  assert.equal(lines.includes('POOL_RUNNING'), false)
  assert.equal(lines.at(-1), 'POOL_STOPPED')
})

test('a member that crashes before the others have begun takes them along; the pool has its error', async () => {
  const failing: Service = { name: 'failing', run: () => Promise.reject(new Error('port taken')) }
  const { pool, lines } = watched([failing, puppet('a'), puppet('b')])
  const crash = await pool.run()
  assert.match(String(crash?.error), /port taken/)
  assert.equal(pool.state, 'crashed')
  assert.ok(lines.indexOf('CRASHED failing') < lines.indexOf('POOL_STOPPING'))
  for (const line of ['STOPPED a', 'STOPPED b', 'POOL_STOPPED']) assert.ok(lines.includes(line), line)
})

test('the first of two crashes is the error of the pool', async () => {
  const a = puppet('a', { deaf: true })
  const b = puppet('b', { deaf: true })
  const { pool } = watched([a, b])
  const ended = pool.run()
  b.crash(new Error('first'))
  a.crash(new Error('second'))
  assert.match(String((await ended)?.error), /first/)
})

test('a member that just ends stops the pool without an error', async () => {
  const [a, b] = [puppet('a', { early: true }), puppet('b', { early: true })]
  const { pool, lines } = watched([a, b])
  const ended = pool.run()
  b.end()
  assert.equal(await ended, undefined)
  assert.ok(lines.indexOf('STOPPED b') < lines.indexOf('POOL_STOPPING'))
  assert.equal(lines.at(-1), 'POOL_STOPPED')
})

test('the first member is not stopped before the last has ended', async () => {
  const [health, ssh] = [puppet('health', { early: true }), puppet('ssh', { early: true, deaf: true })]
  const { pool } = watched([health, ssh])
  const ended = pool.run()
  pool.stop()
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(ssh.life?.stop.aborted, true)
  assert.equal(health.life?.stop.aborted, false)
  ssh.end()
  await ended
  assert.equal(health.life?.stop.aborted, true)
})

/** Waits for the word of a server that never says one, and does not listen to anybody else meanwhile. */
const waiting = (name: string, port: number, sockets: Socket[]): Service => ({
  name,
  startMs: 50,
  stopMs: 50,
  async run(life) {
    const socket = connect(port, '127.0.0.1')
    sockets.push(socket)
    await once(socket, 'data')
    life.running()
  },
})
/** Closes its server, which waits for a client that stays. */
const clinging = (name: string, server: Server): Service => ({
  name,
  stopMs: 50,
  async run(life) {
    life.running()
    await once(life.stop, 'abort')
    server.close()
    await once(server, 'close')
  },
})
async function silentServer() {
  const clients: Socket[] = []
  const server = createServer((client) => clients.push(client)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  assert.ok(typeof address === 'object' && address !== null)
  return { server, port: address.port, clients }
}

test('a member that is not ready in time ends the pool; one that does not even stop is left, and those before it are stopped', async () => {
  const { server, port, clients } = await silentServer()
  const sockets: Socket[] = []
  const health = puppet('health', { early: true })
  const { pool, lines } = watched([health, waiting('late', port, sockets), puppet('ssh', { early: true })])
  const crash = await pool.run()
  assert.match(String(crash?.error), /late was not ready within 50 ms/)
  assert.equal(pool.state, 'crashed')
  assert.equal(lines.includes('POOL_RUNNING'), false)
  assert.deepEqual(lines.slice(lines.indexOf('START_TIMEOUT late')), [
    ...['START_TIMEOUT late', 'POOL_STOPPING', 'STOPPING ssh', 'STOPPED ssh'],
    ...['STOPPING late', 'STOP_TIMEOUT late', 'STOPPING health', 'STOPPED health', 'POOL_STOPPED'],
  ])
  // What it still does is nobody's business any more.
  for (const client of clients) client.end('word')
  await Promise.all(sockets.map((socket) => once(socket, 'close')))
  assert.equal(lines.at(-1), 'POOL_STOPPED')
  server.close()
})

test('a member that hangs in its stop does not keep the others from theirs, and the pool has crashed', async () => {
  const { server, port } = await silentServer()
  const client = connect(port, '127.0.0.1')
  await once(client, 'connect')
  const { pool, lines } = watched([puppet('health', { early: true }), clinging('metrics', server)])
  const ended = pool.run()
  assert.equal(pool.state, 'running')
  pool.stop()
  assert.match(String((await ended)?.error), /metrics has not stopped within 50 ms/)
  assert.deepEqual(lines.slice(lines.indexOf('POOL_STOPPING')), [
    ...['POOL_STOPPING', 'STOPPING metrics', 'STOP_TIMEOUT metrics', 'STOPPING health', 'STOPPED health'],
    'POOL_STOPPED',
  ])
  client.destroy()
})

test('a member that is ready in time may run for longer than it had for that', async () => {
  const quick: Service = { ...puppet('quick', { early: true }), startMs: 20 }
  const { pool } = watched([quick])
  const ended = pool.run()
  await new Promise((resolve) => setTimeout(resolve, 60))
  assert.equal(pool.state, 'running')
  pool.stop()
  assert.equal(await ended, undefined)
})
