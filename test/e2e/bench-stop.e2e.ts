/** A bench that is stopped writes what it has and leaves nothing behind. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { resolve } from 'node:path'
import { test } from 'node:test'
import { until } from '../rigs/daemon.ts'

const root = resolve(import.meta.dirname, '../..')

/** Processes that are children of children of this one, by their session: the bench is the leader of its own. */
function inSession(leader: number): string[] {
  return readdirSync('/proc').filter((name) => {
    if (!/^\d+$/.test(name)) return false
    try {
      const text = readFileSync(`/proc/${name}/stat`, 'latin1')
      return Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[3]) === leader
    } catch {
      return false // it has just ended
    }
  })
}

const scratch = (): string[] => readdirSync(tmpdir()).filter((name) => name.startsWith('containerssh-bench-'))

function outputOf(child: ChildProcess): { out: string; err: string } {
  const text = { out: '', err: '' }
  child.stdout?.setEncoding('utf8').on('data', (more: string) => {
    text.out += more
  })
  child.stderr?.setEncoding('utf8').on('data', (more: string) => {
    text.err += more
  })
  return text
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  test(`${signal} in the second question: the first one is written, the rest is told, children and files are gone`, async () => {
    const before = new Set(scratch())
    const child = spawn(process.execPath, ['bench/index.ts', 'exec', 'memory', 'soak', '--quick'], {
      cwd: root,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const text = outputOf(child)
    const ended = new Promise<number | null>((done) => child.once('exit', done))
    await until('the second question', () => text.err.includes('exec:'), 90_000)
    const { pid } = child
    assert.ok(pid !== undefined)
    // Its servers have started: there is something to end.
    await until('servers of the second question', () => inSession(pid).length > 8, 60_000)
    child.kill(signal)
    assert.equal(await ended, 1)
    assert.match(text.err, /partial, without memory, soak/)
    const path = /^bench\/results\/(.*-quick-partial)\.md$/m.exec(text.out)?.[1]
    assert.ok(path !== undefined, text.out)
    try {
      const report = readFileSync(resolve(root, `bench/results/${path}.md`), 'utf8')
      assert.match(report, new RegExp(`A partial run.*memory: stopped by ${signal}.*## Round trip of a command`, 's'))
      const { partial, missing, questions } = JSON.parse(
        readFileSync(resolve(root, `bench/results/${path}.json`), 'utf8'),
      )
      assert.deepEqual([partial, missing.length, questions.length], [true, 2, 1])
    } finally {
      for (const kind of ['md', 'json', 'svg']) rmSync(resolve(root, `bench/results/${path}.${kind}`))
    }
    await until('the end of all that it started', () => inSession(pid).length === 0)
    assert.deepEqual(
      scratch().filter((name) => !before.has(name)),
      [],
    )
  })
}
