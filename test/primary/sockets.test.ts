import assert from 'node:assert/strict'
import { test } from 'node:test'
import { takeSockets } from '../../src/primary/sockets.ts'

const take = (env: NodeJS.ProcessEnv) => takeSockets(env, 10, 5)

test('without the variables, or with those of another process, there are none', () => {
  for (const env of [{}, { LISTEN_PID: '11', LISTEN_FDS: '1' }, { LISTEN_PID: '10' }]) {
    assert.deepEqual(take(env), { listening: {}, relieved: undefined })
  }
})

test('systemd gives sockets by name, and a single one is that of SSH whatever its unit is called', () => {
  const three = { LISTEN_PID: '10', LISTEN_FDS: '3', LISTEN_FDNAMES: 'health:ssh:metrics' }
  assert.deepEqual(take(three).listening, { health: 3, ssh: 4, metrics: 5 })
  for (const LISTEN_FDNAMES of ['containerssh.socket', undefined, '']) {
    assert.deepEqual(take({ LISTEN_PID: '10', LISTEN_FDS: '1', LISTEN_FDNAMES }).listening, { ssh: 3 })
  }
})

test('a parent that hands over gives its own process id instead', () => {
  const env = { CONTAINERSSH_HANDOVER: '5', LISTEN_FDS: '2', LISTEN_FDNAMES: 'ssh:relieved' }
  assert.deepEqual(take({ ...env }), { listening: { ssh: 3 }, relieved: 4 })
  assert.deepEqual(take({ ...env, CONTAINERSSH_HANDOVER: '6' }), { listening: {}, relieved: undefined })
})

test('children find nothing of it', () => {
  const env: NodeJS.ProcessEnv = { PATH: '/bin', LISTEN_PID: '10', LISTEN_FDS: '1', LISTEN_FDNAMES: 'x' }
  take(env)
  assert.deepEqual(env, { PATH: '/bin' })
})

test('sockets of which nobody knows whose they are are an error that names them', () => {
  for (const [count, names] of [
    ['2', 'ssh:ssh'],
    ['2', 'containerssh.socket:containerssh.socket'],
    ['2', 'ssh:http'],
  ]) {
    const env = { LISTEN_PID: '10', LISTEN_FDS: count, LISTEN_FDNAMES: names }
    assert.throws(() => take(env), { code: 'CORE_SOCKETS_UNKNOWN', message: new RegExp(`"${names}"`) })
  }
})
