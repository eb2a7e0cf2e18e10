import assert from 'node:assert/strict'
import { once } from 'node:events'
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
