import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { cpuMs, pssKb, stateOf } from '../../bench/proc.ts'
import { until } from '../rigs/daemon.ts'

const burn = 'i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done'
const childOf = (pid: number): number => Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1'))

describe('what /proc says about a server', () => {
  test('the CPU time of children that are dead and waited for is counted', async () => {
    const server = spawn('sh', ['-c', `sh -c '${burn}'; echo done; read line`], { stdio: ['pipe', 'pipe', 'inherit'] })
    await once(server.stdout, 'data')
    assert.ok(cpuMs(server.pid ?? 0) >= 50, `${cpuMs(server.pid ?? 0)} ms`)
    server.stdin.end()
    await once(server, 'exit')
  })
  test('grandchildren belong to the server, other processes do not', async () => {
    const server = spawn('sh', ['-c', 'sh -c "sleep 60 & echo up; wait" & wait'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const stranger = spawn('sleep', ['60'], { stdio: 'ignore' })
    await once(server.stdout, 'data')
    const child = childOf(server.pid ?? 0)
    // On a busy machine the processes are still becoming what they will be.
    await until('three processes', () => stateOf(server.pid ?? 0).processes === 3)
    await until('more memory of all than of one', () => pssKb(server.pid ?? 0) > pssKb(child))
    // The child first: it ends by itself when its own child is gone.
    for (const pid of [child, childOf(child)]) process.kill(pid)
    server.kill()
    stranger.kill()
    await once(server, 'exit')
  })
  test('a process that does not exist has used nothing', () => {
    assert.equal(cpuMs(2 ** 22 + 1), 0)
  })
})
