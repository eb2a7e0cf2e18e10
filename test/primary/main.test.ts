import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { client, until } from './rig.ts'

interface Line {
  readonly level: string
  readonly code: string
  readonly message: string
  readonly details: Readonly<Record<string, unknown>>
}

/** A whole daemon with echo workers as a child process. */
function startDaemon(config: object = {}) {
  const child: ChildProcess = spawn(process.execPath, [fileURLToPath(new URL('echo-daemon.ts', import.meta.url))], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ECHO_CONFIG: JSON.stringify(config) },
  })
  const lines: Line[] = []
  assert.ok(child.stdout !== null)
  createInterface({ input: child.stdout }).on('line', (text) => void lines.push(JSON.parse(text) as Line))
  const exit = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>
  const line = (code: string): Promise<Line> =>
    until(code, () => lines.find((one) => one.code === code)) as Promise<Line>
  return {
    child,
    lines,
    exit,
    line,
    codes: () => lines.map((one) => one.code),
    port: async () => Number(/:(\d+)\.$/.exec((await line('SSH_AVAILABLE')).message)?.[1]),
    [Symbol.dispose]: () => void child.kill('SIGKILL'),
  }
}

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(`from start to ${signal}: the records in order, exit status 0`, async () => {
    using daemon = startDaemon()
    await daemon.line('SERVICE_POOL_RUNNING')
    daemon.child.kill(signal)
    assert.deepEqual(await daemon.exit, [0, null])
    const expected = ['SERVICE_POOL_STARTING', 'SERVICE_STARTING', 'WORKER_STARTED', 'SSH_AVAILABLE', 'SERVICE_RUNNING']
    expected.push(
      'SERVICE_POOL_RUNNING',
      'SERVICE_POOL_STOPPING',
      'SERVICE_STOPPING',
      'WORKER_EXITED',
      'SERVICE_STOPPED',
    )
    assert.deepEqual(
      daemon.codes().filter((code) => !['TEST', 'WORKER_USER_SHARED'].includes(code)),
      [...expected, 'SERVICE_POOL_STOPPED'],
    )
  })
}

test('a signal while the workers are starting ends the daemon with status 0', async () => {
  using daemon = startDaemon({ backend: 'silent' })
  await daemon.line('SERVICE_STARTING')
  daemon.child.kill('SIGTERM')
  assert.deepEqual(await daemon.exit, [0, null])
  assert.equal(daemon.codes().includes('SSH_AVAILABLE'), false)
  assert.equal(daemon.codes().at(-1), 'SERVICE_POOL_STOPPED')
})

test('health is 503 while connections are drained, and the endpoint is the last to go', async () => {
  using daemon = startDaemon({ health: { enable: true } })
  const url = String((await daemon.line('HEALTH_AVAILABLE')).details['url'])
  await daemon.line('SERVICE_POOL_RUNNING')
  assert.equal((await fetch(url)).status, 200)
  const one = client(await daemon.port())
  await one.ask('x', /x/)
  daemon.child.kill('SIGTERM')
  await until('the word', () => one.text().includes('draining'))
  assert.equal((await fetch(url)).status, 503)
  assert.equal(await (await fetch(url)).text(), '"not ok"')
  one.socket.end()
  assert.deepEqual(await daemon.exit, [0, null])
})

test('a client that stays is cut at the deadline, and the exit status is still 0', async () => {
  using daemon = startDaemon({ shutdownTimeout: 200 })
  const one = client(await daemon.port())
  await one.ask('x', /x/)
  daemon.child.kill('SIGTERM')
  await one.closed
  assert.match(one.text(), /cut/)
  assert.deepEqual(await daemon.exit, [0, null])
})

test('a second signal ends everything at once', async () => {
  using daemon = startDaemon({ shutdownTimeout: 3_600_000 })
  const one = client(await daemon.port())
  await one.ask('x', /x/)
  daemon.child.kill('SIGTERM')
  await until('the word', () => one.text().includes('draining'))
  daemon.child.kill('SIGTERM')
  assert.deepEqual(await daemon.exit, [1, null])
  await one.closed
})

test('SIGHUP ends nothing', async () => {
  using daemon = startDaemon()
  const one = client(await daemon.port())
  daemon.child.kill('SIGHUP')
  await one.ask('hello', /hello/)
  one.socket.destroy()
  daemon.child.kill('SIGTERM')
  assert.deepEqual(await daemon.exit, [0, null])
})

test('a taken port: the service crashes, the pool stops, the last record tells the reason, exit status 1', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  using daemon = startDaemon({ ssh: { listen: `127.0.0.1:${port}` }, health: { enable: true } })
  assert.deepEqual(await daemon.exit, [1, null])
  server.close()
  const last = daemon.lines.at(-1)
  assert.deepEqual([last?.level, last?.code], ['crit', 'SSH_START_FAILED'])
  assert.match(last?.message ?? '', new RegExp(`127.0.0.1:${port}.*EADDRINUSE`))
  assert.equal(daemon.codes().filter((code) => code === 'SERVICE_CRASHED').length, 1)
  assert.equal(daemon.codes().at(-2), 'SERVICE_POOL_STOPPED')
})

test('workers that cannot start: one crit record with the reason, exit status 1', async () => {
  using daemon = startDaemon({ backend: 'broken', workers: 2 })
  assert.deepEqual(await daemon.exit, [1, null])
  const crit = daemon.lines.filter((line) => line.level === 'crit')
  assert.deepEqual(
    crit.map((line) => line.code),
    ['WORKER_START_FAILED'],
  )
  assert.match(crit[0]?.message ?? '', /on fire/)
})
