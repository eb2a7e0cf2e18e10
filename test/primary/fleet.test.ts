import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { test } from 'node:test'
import { client, startFleet, until } from './rig.ts'

const descriptors = (): number => readdirSync('/proc/self/fd').length

test('what a client sends before a worker has its connection is not lost', async () => {
  await using rig = await startFleet(1)
  const early = client(rig.port, 'before any worker was ready')
  await until('the connection', () => rig.admission.connections === 1)
  await rig.fleet.start()
  await until('the echo', () => early.text() === 'before any worker was ready')
  early.socket.destroy()
})

test('connections go to the worker with the fewest, and admission counts back to zero', async () => {
  await using rig = await startFleet(2)
  await rig.fleet.start()
  const clients = Array.from({ length: 10 }, () => client(rig.port))
  const pids = await Promise.all(clients.map((one) => one.ask('pid', /^\d+\n$/)))
  assert.deepEqual(
    rig.fleet.workers.map((worker) => worker.connections),
    [5, 5],
  )
  assert.equal(new Set(pids).size, 2)
  // All of the first worker leave: the next five go there.
  for (const [i, one] of clients.entries()) if (pids[i] === pids[0]) one.socket.end()
  await until('five to leave', () => rig.admission.connections === 5)
  const next = Array.from({ length: 5 }, () => client(rig.port))
  const where = await Promise.all(next.map((one) => one.ask('pid', /^\d+\n$/)))
  assert.deepEqual(new Set(where), new Set([pids[0]]))
  for (const one of [...clients, ...next]) one.socket.end()
  await until('all to leave', () => rig.admission.connections === 0)
  assert.equal(rig.admission.startups, 0)
  assert.equal(rig.admission.sources, 0)
})

test('the primary keeps no descriptor of a connection that a worker has taken', async () => {
  await using rig = await startFleet(1)
  await rig.fleet.start()
  await client(rig.port).ask('pid', /\d/)
  const before = descriptors()
  const clients = Array.from({ length: 50 }, () => client(rig.port))
  await Promise.all(clients.map((one) => one.ask('hello', /hello/)))
  // The 50 are the clients' own ends.
  assert.equal(descriptors(), before + 50)
  for (const one of clients) one.socket.destroy()
})

test('a login is counted as such', async () => {
  await using rig = await startFleet(1)
  await rig.fleet.start()
  const one = client(rig.port)
  await one.ask('x', /x/)
  assert.equal(rig.admission.startups, 1)
  await one.ask('login', /welcome/)
  await until('the count', () => rig.admission.startups === 0)
  assert.equal(rig.admission.connections, 1)
  one.socket.destroy()
})

test('kill -9 of a worker loses only its connections; another one reaps for it, and it is replaced', async () => {
  await using rig = await startFleet(2)
  await rig.fleet.start()
  const clients = Array.from({ length: 6 }, () => client(rig.port))
  const pids = await Promise.all(clients.map(async (one) => Number(await one.ask('pid', /^\d+\n$/))))
  const victim = pids[0] ?? 0
  await until('the reaping at start', () => rig.codes().filter((code) => code === 'TEST').length === 2)
  process.kill(victim, 'SIGKILL')
  await Promise.all(clients.filter((_, i) => pids[i] === victim).map((one) => one.closed))
  await until('the tickets', () => rig.admission.connections === 3)
  for (const [i, one] of clients.entries()) if (pids[i] !== victim) await one.ask('still here', /still here/)
  const exit = rig.records.find((record) => record.code === 'WORKER_EXITED')
  assert.equal(exit?.level, 'error')
  assert.equal(exit?.labels['signal'], 'SIGKILL')
  assert.equal(exit?.labels['pid'], victim)
  assert.equal(exit?.labels['connections'], 3)
  await until('two workers', () => rig.fleet.workers.filter(({ phase }) => phase === 'serving').length === 2)
  assert.ok(!rig.fleet.workers.some(({ pid }) => pid === victim))
  assert.ok(rig.codes().filter((code) => code === 'TEST').length >= 3)
  for (const one of clients) one.socket.destroy()
})

test('an error that nobody expected costs the worker, whose last words reach the log', async () => {
  await using rig = await startFleet(1)
  await rig.fleet.start()
  const one = client(rig.port)
  one.socket.write('throw')
  await one.closed
  await until('the exit', () => rig.codes().includes('WORKER_EXITED'))
  const crash = rig.records.find((record) => record.code === 'WORKER_CRASHED')
  assert.match(crash?.message ?? '', /told to throw/)
  assert.match(crash?.message ?? '', /echo-worker\.ts/)
  await client(rig.port).ask('hello', /hello/)
})

test('a worker that breaks the rules of the link is ended and replaced', async () => {
  await using rig = await startFleet(1)
  await rig.fleet.start()
  const one = client(rig.port)
  one.socket.write('garbage')
  await one.closed
  await until('the exit', () => rig.codes().includes('WORKER_EXITED'))
  const error = rig.records.find((record) => record.code === 'IPC_PROTOCOL_ERROR')
  assert.match(error?.message ?? '', /a frame of 4294967295 bytes/)
  await client(rig.port).ask('hello', /hello/)
})

test('what a worker writes to its standard error reaches the log line by line', async () => {
  await using rig = await startFleet(1)
  await rig.fleet.start()
  const one = client(rig.port)
  one.socket.write('speak')
  await until('the line', () => rig.codes().includes('WORKER_OUTPUT'))
  process.kill(rig.fleet.workers[0]?.pid ?? 0, 'SIGKILL')
  await until('the exit', () => rig.codes().includes('WORKER_EXITED'))
  const spoken = rig.records.filter((record) => record.code === 'WORKER_OUTPUT')
  assert.deepEqual(
    spoken.map(({ labels }) => labels['line']),
    ['half a line and', 'another'],
  )
  one.socket.destroy()
})

test('connections that come while no worker lives wait for the next one', async () => {
  await using rig = await startFleet(1)
  await rig.fleet.start()
  const [worker] = rig.fleet.workers
  process.kill(worker?.pid ?? 0, 'SIGKILL')
  const waiting = Array.from({ length: 5 }, () => client(rig.port, 'hello'))
  for (const one of waiting) await until('the echo', () => one.text() === 'hello')
  for (const one of waiting) one.socket.destroy()
})

test('connections on their way to a worker that dies are given to another one', async () => {
  await using rig = await startFleet(2)
  await rig.fleet.start()
  const [victim] = rig.fleet.workers
  process.kill(victim?.pid ?? 0, 'SIGSTOP')
  const clients = Array.from({ length: 6 }, () => client(rig.port, 'hello'))
  await until('all to be passed', () => rig.fleet.workers[0]?.connections === 3)
  process.kill(victim?.pid ?? 0, 'SIGKILL')
  for (const one of clients) await until('the echo', () => one.text() === 'hello')
  for (const one of clients) one.socket.destroy()
})

test('a worker cannot end or log in the connections of another one', async () => {
  await using rig = await startFleet(2)
  await rig.fleet.start()
  const clients = Array.from({ length: 4 }, () => client(rig.port))
  await Promise.all(clients.map((one) => one.ask('x', /x/)))
  await clients[0]?.ask('forge', /forged/)
  await clients[0]?.ask('log', /logged/)
  await until('the log', () => rig.codes().includes('SSH_CONNECTED'))
  // Its own second connection it may end; the two of the other worker stay.
  assert.equal(rig.admission.connections, 3)
  for (const one of clients) one.socket.destroy()
})

test('a drain tells the connections, waits for them, and ends every worker', async () => {
  await using rig = await startFleet(2)
  await rig.fleet.start()
  const one = client(rig.port)
  await one.ask('x', /x/)
  const drained = rig.fleet.drain(20_000)
  await until('the word', () => one.text().includes('draining'))
  one.socket.end()
  await drained
  assert.deepEqual(rig.fleet.workers, [])
  assert.equal(rig.admission.connections, 0)
  const exits = rig.records.filter((record) => record.code === 'WORKER_EXITED')
  assert.deepEqual(
    exits.map(({ level, labels }) => [level, labels['exitCode']]),
    [
      ['info', 0],
      ['info', 0],
    ],
  )
})

test('at the deadline of a drain the rest is cut', async () => {
  await using rig = await startFleet(1)
  await rig.fleet.start()
  const one = client(rig.port)
  await one.ask('x', /x/)
  await rig.fleet.drain(50)
  await one.closed
  assert.match(one.text(), /cut/)
  assert.deepEqual(rig.fleet.workers, [])
})

test('a fleet that is drained takes no connections', async () => {
  await using rig = await startFleet(1)
  await rig.fleet.start()
  await rig.fleet.drain(50)
  const late = client(rig.port, 'hello')
  await late.closed
  assert.equal(late.text(), '')
  assert.equal(rig.admission.connections, 1, 'the ticket is still with whoever asked')
})

test('workers that cannot start fail the start, with the reason, and none is left', async () => {
  await using rig = await startFleet(2, { backend: 'broken' })
  await assert.rejects(rig.fleet.start(), /Worker \d cannot start: .*on fire/)
  assert.deepEqual(rig.fleet.workers, [])
})

test('a fleet can be ended while it starts', async () => {
  await using rig = await startFleet(1, { backend: 'silent' })
  const starting = assert.rejects(rig.fleet.start(), /before it was ready/)
  await until('the process', () => rig.fleet.workers.length === 1)
  await rig.fleet.drain(1000)
  await starting
})

test('a new crew takes the new connections, the old one keeps its own and ends with the last', async () => {
  await using rig = await startFleet(2)
  await rig.fleet.start()
  const old = Array.from({ length: 4 }, () => client(rig.port))
  const before = new Set(await Promise.all(old.map((one) => one.ask('pid', /^\d+\n$/))))
  await rig.fleet.replace(rig.crewOf('docker', 0, 3))
  const young = Array.from({ length: 6 }, () => client(rig.port))
  const after = new Set(await Promise.all(young.map((one) => one.ask('pid', /^\d+\n$/))))
  assert.equal(after.size, 3)
  assert.ok([...after].every((pid) => !before.has(pid)))
  for (const one of old) await one.ask('still here', /still here/)
  assert.equal(rig.fleet.workers.length, 5)
  for (const one of old) one.socket.end()
  await until('the old ones to end', () => rig.fleet.workers.length === 3)
  const ends = rig.records.filter(({ code }) => code === 'WORKER_EXITED')
  assert.deepEqual(
    ends.map(({ level, labels }) => [level, labels['exitCode']]),
    [
      ['info', 0],
      ['info', 0],
    ],
  )
  for (const one of young) await one.ask('still here', /still here/)
  for (const one of young) one.socket.destroy()
})

test('a crew that cannot start changes nothing', async () => {
  await using rig = await startFleet(2)
  await rig.fleet.start()
  const one = client(rig.port)
  const pid = await one.ask('pid', /^\d+\n$/)
  await assert.rejects(rig.fleet.replace(rig.crewOf('broken')), { code: 'WORKER_START_FAILED' })
  await until('them to be gone', () => rig.fleet.workers.length === 2)
  assert.ok(rig.fleet.workers.every(({ stage }) => stage === 'current'))
  assert.equal(await one.ask('pid', /^\d+\n$/), pid)
  await client(rig.port).ask('hello', /hello/)
  await rig.fleet.replace(rig.crewOf())
  await client(rig.port).ask('hello', /hello/)
})

test('a retired worker that dies is reaped for, and not replaced', async () => {
  await using rig = await startFleet(1)
  await rig.fleet.start()
  const one = client(rig.port)
  const pid = Number(await one.ask('pid', /^\d+\n$/))
  await rig.fleet.replace(rig.crewOf())
  const reaped = (): number => rig.codes().filter((code) => code === 'TEST').length
  await until('the reaping at start', () => reaped() === 2)
  process.kill(pid, 'SIGKILL')
  await one.closed
  await until('the reaping', () => reaped() === 3)
  assert.deepEqual(
    rig.fleet.workers.map(({ stage }) => stage),
    ['current'],
  )
  assert.equal(rig.records.find(({ code }) => code === 'WORKER_EXITED')?.level, 'error')
})

test('who stays longer than a retired worker may is cut', async () => {
  await using rig = await startFleet(1)
  await rig.fleet.start()
  const patient = client(rig.port)
  await patient.ask('hello', /hello/)
  await rig.fleet.replace(rig.crewOf('docker', 1))
  const one = client(rig.port)
  await one.ask('hello', /hello/)
  await rig.fleet.replace(rig.crewOf())
  await one.closed
  assert.match(one.text(), /draining\ncut/)
  // Its crew had no limit.
  await patient.ask('still here', /still here/)
  patient.socket.destroy()
})
