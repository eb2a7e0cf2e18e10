import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, test } from 'node:test'
import { liveBytes } from '../../bench/live-memory.ts'

const folder = mkdtempSync(join(tmpdir(), 'containerssh-live-'))
after(() => rmSync(folder, { recursive: true }))
const answering = resolve(import.meta.dirname, '../../bench/live-memory.ts')

/** A process that answers, and keeps what it is told to for each line of its input; resolves when it listens. */
async function start(): Promise<ChildProcess> {
  const program = `
    import { answerLiveMemory } from ${JSON.stringify(answering)}
    answerLiveMemory(${JSON.stringify(folder)})
    const kept = []
    process.stdin.setEncoding('utf8').on('data', (text) => {
      for (let i = 0; i < 500; i++) {
        const object = { text: 'x'.repeat(100) + i, more: new Array(200).fill(i) }
        const buffer = Buffer.alloc(4096, 1)
        if (text.includes('keep')) kept.push(object, buffer)
      }
      console.log('done')
    })
    console.log('ready')`
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['pipe', 'pipe', 'inherit'] })
  await said(child)
  return child
}
const said = ({ stdout }: ChildProcess): Promise<void> =>
  new Promise((done) => {
    stdout?.once('data', () => done())
  })

test('what a process keeps is found to the byte almost, and garbage is not', { timeout: 60_000 }, async () => {
  const child = await start()
  const never = new AbortController().signal
  const grown = async (line: string): Promise<number> => {
    const before = await liveBytes(child.pid ?? 0, folder, never)
    const answer = said(child)
    child.stdin?.write(line)
    await answer
    return (await liveBytes(child.pid ?? 0, folder, never)) - before
  }
  try {
    // The first of each compiles.
    await grown('drop')
    await grown('keep')
    const [garbage, kept] = [await grown('drop'), await grown('keep')]
    assert.ok(garbage < 200_000, `${garbage} bytes of garbage`)
    // 500 buffers of 4 KiB, arrays of 200 and strings.
    assert.ok(kept > 500 * 5000 && kept < 500 * 8000, `${kept} bytes`)
  } finally {
    child.kill()
  }
})

test('a process that does not answer is told, and a stop ends the wait', { timeout: 60_000 }, async () => {
  const child = spawn('sleep', ['60'])
  try {
    const stop = AbortSignal.timeout(50)
    await assert.rejects(liveBytes(child.pid ?? 0, folder, stop), { name: 'AbortError' })
  } finally {
    child.kill()
  }
})
