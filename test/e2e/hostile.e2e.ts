import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { buildLoad, holdLoad } from '../../bench/load.ts'
import { until } from '../rigs/daemon.ts'
import { type Login, login } from '../rigs/login.ts'

interface Result {
  readonly clients: number
  readonly ended: number
  readonly endings: Readonly<Record<string, number>>
  readonly bytesReceived: number
}

/** Resident memory of a process in bytes, without the pages it shares with others. */
function resident(pid: number): number {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')
  return Number(/^Pss_Anon:\s+(\d+)/m.exec(text)?.[1]) * 1024
}

for (const clients of [1, 50]) {
  describe(`hostile clients, ${clients} at once`, { concurrency: 1 }, () => {
    let host: Login
    let load: string
    before(async () => {
      load = await buildLoad()
      const limits = { maxStartupsPerSource: 500, maxConnectionsPerSource: 500 }
      host = await login({ config: { workers: 1, log: { level: 'info' } }, ssh: limits })
      // What a first login allocates for good is not the cost of a client.
      for (let i = 0; i < 3; i++) assert.equal((await host.client.run(['true'])).code, 0)
    })
    after(() => host[Symbol.asyncDispose]())
    const attack = async (mode: string, more: readonly string[] = []) => {
      const flags = ['-address', `127.0.0.1:${host.daemon.port}`, '-user', host.user, '-key', host.key.file]
      const count = ['-mode', mode, '-clients', String(clients)]
      return holdLoad(load, 'hostile', [...flags, ...count, ...more], AbortSignal.timeout(110_000))
    }
    const served = async (status: number): Promise<void> => {
      const { code, stderr } = await host.client.run([`exit ${status}`])
      const troubles = host.daemon.lines.filter(({ level }) => level === 'error').slice(-3)
      assert.equal(code, status, `${stderr}\n${troubles.map((line) => JSON.stringify(line)).join('\n')}`)
    }
    const worker = (): number => {
      const [pid] = host.daemon.workers()
      assert.ok(pid !== undefined)
      return pid
    }

    test('that grant 4 GiB, ask for 2 GiB and stop reading cost the worker less than 8 MiB each', async () => {
      const pid = worker()
      const before = resident(pid)
      await using held = await attack('window', ['-command', 'head -c 2147483648 /dev/zero'])
      // Another user is served as ever meanwhile.
      await served(21)
      const cost = (resident(pid) - before) / clients
      assert.ok(cost < 8 << 20, `${Math.round(cost / 1024)} KiB per client`)
      const result = (await held.end()) as Result
      assert.ok(result.bytesReceived < clients * (2 ** 31 - 1), 'the output was held back')
      assert.equal(worker(), pid)
    })

    test('that send past their window are disconnected', async () => {
      await using held = await attack('overrun', ['-command', 'sleep 1000'])
      const result = (await held.end()) as Result
      assert.equal(result.ended, clients, JSON.stringify(result.endings))
      assert.ok(
        Object.keys(result.endings).every((ending) => ending.startsWith('disconnect 2')),
        JSON.stringify(result.endings),
      )
    })

    test('that announce packets of 0 bytes are refused the channel', async () => {
      await using held = await attack('packet0')
      const result = (await held.end()) as Result
      assert.ok(
        Object.keys(result.endings).every((ending) => /^(open failure|disconnect)/.test(ending)),
        JSON.stringify(result.endings),
      )
    })

    test('that ask for replies and do not read them cost the worker less than 8 MiB each', async () => {
      const pid = worker()
      const before = resident(pid)
      await using held = await attack('replies')
      // A flood of small messages makes garbage, of which V8 keeps some room whatever the number of clients.
      const garbage = 24 << 20
      const cost = (resident(pid) - before - garbage) / clients
      assert.ok(cost < 8 << 20, `${Math.round(cost / 1024)} KiB per client`)
      await served(22)
      await held.end()
    })

    test('leave no container behind', async () => {
      await until('no container', async () => (await host.containers()).length === 0, 60_000)
    })
  })
}
