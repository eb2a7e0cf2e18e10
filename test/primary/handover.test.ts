import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { connect } from 'node:net'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { type Client, client, startFleet, until } from './rig.ts'

const descriptors = (pid: number | 'self'): number => readdirSync(`/proc/${pid}/fd`).length
type Rig = Awaited<ReturnType<typeof startFleet>>
const serving = (rig: Rig): number[] =>
  rig.fleet.workers.filter(({ phase }) => phase === 'serving').map(({ pid }) => pid)

test('500 connections and workers killed in between: each is served or closed, and no process keeps a descriptor', async () => {
  await using rig = await startFleet(3)
  await rig.fleet.start()
  const one = client(rig.port)
  const survivor = Number(await one.ask('pid', /^\d+\n$/))
  one.socket.destroy()
  await until('the first to leave', () => rig.admission.connections === 0)
  await until('all to serve', () => serving(rig).length === 3)
  const before = { primary: descriptors('self'), survivor: descriptors(survivor) }
  const clients: Client[] = []
  const victims = new Set([survivor])
  for (let round = 0; round < 10; round++) {
    clients.push(...Array.from({ length: 50 }, () => client(rig.port, 'hello')))
    if (round % 3 === 2) {
      const victim = await until('somebody else', () => serving(rig).find((pid) => !victims.has(pid)))
      // Some are on their way to it then.
      assert.ok(victim !== undefined)
      victims.add(victim)
      process.kill(victim, 'SIGSTOP')
      await pause(round)
      process.kill(victim, 'SIGKILL')
    }
    await pause(1)
  }
  const gone = new Set<Client>()
  for (const each of clients) void each.closed.then(() => gone.add(each))
  await until('an end of all', () => clients.every((each) => each.text() === 'hello' || gone.has(each)))
  const served = clients.filter((each) => each.text() === 'hello').length
  assert.ok(served > 250, `${served}`)
  for (const each of clients) each.socket.destroy()
  await Promise.all(clients.map((each) => each.closed))
  await until('all to leave', () => rig.admission.connections === 0)
  await until('the workers to be back', () => serving(rig).length === 3)
  await until('our descriptors', () => descriptors('self') === before.primary)
  await until('those of the worker', () => descriptors(survivor) === before.survivor)
})

for (const [fate, signal] of [
  ['goes on', 'SIGCONT'],
  ['dies', 'SIGKILL'],
] as const) {
  test(`more than a worker may have under way wait for it, and all are served when it ${fate}`, async () => {
    await using rig = await startFleet(1)
    await rig.fleet.start()
    const [pid = 0] = serving(rig)
    process.kill(pid, 'SIGSTOP')
    const clients = Array.from({ length: 300 }, () => client(rig.port, 'hello'))
    await until('them to be accepted', () => rig.admission.connections === 300)
    assert.equal(rig.fleet.workers[0]?.connections, 16)
    process.kill(pid, signal)
    await until('the echoes', () => clients.every((each) => each.text() === 'hello'))
    assert.equal(rig.fleet.workers[0]?.connections, 300)
    for (const each of clients) each.socket.destroy()
  })
}

test('a client whom a worker that hangs does not take is told, and the worker has nothing of it afterwards', async () => {
  await using rig = await startFleet(1)
  await rig.fleet.start()
  const [pid = 0] = serving(rig)
  const before = descriptors(pid)
  process.kill(pid, 'SIGSTOP')
  const one = client(rig.port, 'hello')
  await one.closed
  process.kill(pid, 'SIGCONT')
  assert.equal(one.text(), '')
  assert.ok(rig.codes().includes('SSH_CONNECTION_REFUSED'))
  assert.equal(rig.admission.connections, 0)
  await client(rig.port).ask('hello', /hello/)
  // That one, and no other.
  await until('its descriptors', () => descriptors(pid) === before + 1)
})

test('what a worker says on the channel of handles is no order to Node, and much of it ends the worker', async () => {
  await using rig = await startFleet(1)
  await rig.fleet.start()
  const [before] = serving(rig)
  const one = client(rig.port)
  const port = 20_000 + (process.pid % 10_000)
  const order = {
    cmd: 'NODE_CLUSTER',
    act: 'queryServer',
    seq: 9,
    index: 0,
    address: '127.0.0.1',
    port,
    addressType: 4,
    for: 'cluster',
  }
  one.socket.write(JSON.stringify(order))
  await pause(200)
  assert.equal(serving(rig)[0], before, 'it was not even answered')
  const socket = connect(port, '127.0.0.1')
  const refused = new Promise<string>((resolve) => {
    socket.on('connect', () => resolve('there it listens'))
    socket.on('error', (error) => resolve(error.message))
  })
  assert.match(await refused, /ECONNREFUSED/)
  socket.destroy()
  one.socket.write(`cluster${' '.repeat(2000)}`)
  await one.closed
  await until('the exit', () => rig.codes().includes('WORKER_EXITED'))
  const error = rig.records.find((record) => record.code === 'IPC_PROTOCOL_ERROR')
  assert.match(error?.message ?? '', /more than a greeting on the channel of handles/)
  await client(rig.port).ask('hello', /hello/)
})
