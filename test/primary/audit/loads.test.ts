import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { createLoads, type Passenger } from '../../../src/primary/audit/loads.ts'
import { openThreads } from '../../../src/primary/audit/threads.ts'
import { chainStart } from '../../../src/shared/audit/chain.ts'
import { type LogSettings, type LogState, type LogStored, newLogFile } from '../../../src/shared/audit/log-task.ts'
import { type Load, type Outcomes, packOutcome, readWork } from '../../../src/shared/audit/log-wire.ts'
import { createLog } from '../../../src/shared/log.ts'
import { batchOf, output, startAudit, until, worker } from './rig.ts'

const settings: LogSettings = { format: 'gzip', recipients: [], mostChannels: 1 }
const facts = { startTime: 0, remoteAddr: '192.0.2.7', authenticated: false, username: '', country: 'XX' }
const stateOf = (connectionId: string): LogState => ({
  connectionId,
  folders: ['/logs'],
  files: [newLogFile(connectionId, [{ folder: '/logs', descriptor: 3 }])],
  fileCount: 1,
  chain: chainStart,
  latest: 0n,
  facts,
})

interface Traveller extends Passenger {
  readonly news: (LogStored | string)[]
}
function traveller(name: string, waitingBytes = 100): Traveller {
  const news: (LogStored | string)[] = []
  return {
    news,
    waitingBytes,
    board: () => ({ state: stateOf(name), batches: [], end: undefined }),
    stored: (stored) => void news.push(stored),
    lost: (reason) => void news.push(reason),
  }
}
/** Loads that come back when the test says so. */
function road() {
  const loads: { readonly names: readonly string[]; readonly end: PromiseWithResolvers<Outcomes>; back(): void }[] = []
  const store = (load: Load): Promise<Outcomes> => {
    const states = load.works.map((work) => readWork(work).state)
    const end = Promise.withResolvers<Outcomes>()
    const rest = { finished: [], failures: [], disconnect: undefined, offence: undefined }
    const back = (): void => end.resolve(states.map((state) => packOutcome({ state, ...rest }, state)))
    loads.push({ names: states.map(({ connectionId }) => connectionId), end, back })
    return end.promise
  }
  return { loads, store }
}
const names = (count: number, prefix = 'log'): string[] => Array.from({ length: count }, (_, at) => `${prefix}-${at}`)

test('what comes in one turn travels together, what comes meanwhile when that is back', async () => {
  const { loads, store } = road()
  const station = createLoads(settings, 3, store)
  const first = names(5).map((name) => traveller(name))
  for (const one of first) station.add(one)
  await until('a load', () => loads.length === 1)
  assert.deepEqual(loads[0]?.names, names(5))
  const late = names(2, 'late').map((name) => traveller(name))
  for (const one of late) station.add(one)
  loads[0]?.back()
  await until('the next load', () => loads.length === 2)
  assert.deepEqual(loads[1]?.names, names(2, 'late'))
  assert.ok(first.every(({ news }) => news.length === 1 && typeof news[0] !== 'string'))
  loads[1]?.back()
})

test('a load that does not come back holds up nobody as long as there are threads', async () => {
  const { loads, store } = road()
  const station = createLoads(settings, 2, store)
  station.add(traveller('stuck'))
  await until('a load', () => loads.length === 1)
  station.add(traveller('next'))
  await until('the next load', () => loads.length === 2)
  assert.deepEqual(loads[1]?.names, ['next'])
  // No more than that are under way.
  station.add(traveller('third'))
  await sleep(20)
  assert.equal(loads.length, 2)
  loads[1]?.back()
  await until('the third load', () => loads.length === 3)
  for (const load of loads) load.back()
})

test('a load has an end in logs and in bytes, and a large log travels alone', async () => {
  const { loads, store } = road()
  const station = createLoads(settings, 100, store)
  for (const name of names(70)) station.add(traveller(name))
  for (const name of ['large-1', 'large-2']) station.add(traveller(name, 2 ** 20))
  await until('all loads', () => loads.flatMap((load) => load.names).length === 72)
  const sizes = loads.map((load) => load.names.length)
  assert.ok(Math.max(...sizes) < 70, String(sizes))
  assert.deepEqual(
    loads.filter((load) => load.names.some((name) => name.startsWith('large'))).map((load) => load.names),
    [['large-1'], ['large-2']],
  )
  for (const load of loads) load.back()
})

test('with a thread that ends all of its load is lost, and the next ones travel on', async () => {
  const { loads, store } = road()
  const station = createLoads(settings, 2, store)
  const [one, two, other] = [traveller('one'), traveller('two'), traveller('other')]
  station.add(one)
  station.add(two)
  await until('a load', () => loads.length === 1)
  loads[0]?.end.reject(new Error('the thread is gone'))
  await until('the news', () => two.news.length > 0)
  assert.deepEqual([one.news, two.news], [['the thread is gone'], ['the thread is gone']])
  station.add(other)
  await until('the next load', () => loads.length === 2)
  loads[1]?.back()
  await until('its news', () => other.news.length > 0)
  assert.notEqual(typeof other.news[0], 'string')
})

test('of a load one log cannot be stored: its neighbours are, whole', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'containerssh-loads-'))
  const threads = openThreads(1, createLog({ level: 'debug', write: () => undefined }), 1000)
  const recipient = 'age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p'
  const station = createLoads({ ...settings, recipients: [recipient] }, 2, (load) => threads.run('store', load))
  const opened = ['a', 'broken', 'c'].map((name) => ({ name, descriptor: openSync(join(folder, name), 'w') }))
  const travellers = opened.map(({ name, descriptor }) => {
    const key = randomBytes(name === 'broken' ? 7 : 32)
    const file = { ...newLogFile(name, [{ folder, descriptor }]), envelope: { key, count: 0 } }
    const work = { state: { ...stateOf(name), files: [file] }, batches: [batchOf([output('x')])], end: undefined }
    return { ...traveller(name), board: () => work }
  })
  for (const one of travellers) station.add(one)
  await until('all news', () => travellers.every(({ news }) => news.length === 1))
  const [a, broken, c] = travellers.map(({ news }) => news[0])
  assert.match(String(broken), /key length/i)
  for (const [stored, name] of [[a, 'a'] as const, [c, 'c'] as const]) {
    assert.ok(stored !== undefined && typeof stored !== 'string')
    assert.equal(stored.state.files[0]?.bytes, readFileSync(join(folder, name)).length)
    assert.ok((stored.state.files[0]?.bytes ?? 0) > 0)
  }
  assert.equal(readFileSync(join(folder, 'broken')).length, 0)
  for (const { descriptor } of opened) closeSync(descriptor)
  await threads.close()
  rmSync(folder, { recursive: true })
})

test('many logs that get a keystroke each: every file is its own, and whole', async () => {
  await using rig = await startAudit()
  const one = worker(rig.audit)
  const ids = Array.from({ length: 200 }, () => randomBytes(16).toString('hex'))
  for (const [ticket, id] of ids.entries()) one.open(ticket, id)
  for (let key = 0; key < 5; key++) for (const ticket of ids.keys()) one.send(ticket, output(`${ticket}:${key};`))
  for (const ticket of ids.keys()) one.close(ticket)
  await rig.closed()
  for (const [ticket, id] of ids.entries()) {
    const { records, problems } = await rig.contents(id)
    assert.deepEqual(problems, [])
    const typed = records.flatMap((each) => (each.type === 'io' ? [String(Buffer.from(each.payload.data ?? []))] : []))
    assert.equal(typed.join(''), [0, 1, 2, 3, 4].map((key) => `${ticket}:${key};`).join(''))
  }
  assert.deepEqual(one.offences, [])
})
