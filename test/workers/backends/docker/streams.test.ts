/** FIFOs as the streams of a program: a shell of this machine takes them as one in a container does. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { checkOwned } from '../../../../src/shared/runtime-folder.ts'
import { createStock } from '../../../../src/workers/backends/docker/direct/stock.ts'
import { type DirectStreams, openStreams } from '../../../../src/workers/backends/docker/direct/streams.ts'
import { announcedOver } from '../../../../src/workers/backends/guest/command.ts'
import type { Plan } from '../../../../src/workers/backends/guest/plan.ts'
import { until } from '../../../rigs/daemon.ts'

const shell: Plan = {
  mode: 'shell',
  agent: undefined,
  hasShell: true,
  volume: undefined,
  idle: undefined,
  sftp: undefined,
  scp: 'own',
}

interface Place extends AsyncDisposable {
  readonly folder: string
  /** As the program is told it. */
  readonly path: string
  readonly streams: DirectStreams
  /** Runs a command that takes them; what the shell had before goes nowhere. */
  run(command: string): ChildProcess
}

async function place(): Promise<Place> {
  const folder = mkdtempSync(join(tmpdir(), 'containerssh-streams-'))
  const name = await createStock(join(folder, 'stock')).take(folder, AbortSignal.timeout(20_000))
  const streams = openStreams(folder, name)
  const path = join(folder, name)
  return {
    folder,
    path,
    streams,
    run(command) {
      const [program = '', ...words] = announcedOver(path, shell, ['sh', '-c', command])
      return spawn(program, words, { stdio: 'ignore' })
    },
    async [Symbol.asyncDispose]() {
      streams.close()
      rmSync(folder, { recursive: true })
    },
  }
}

/** Reads all; lets go when something comes. */
function reader(streams: DirectStreams) {
  const [out, err]: [Buffer[], Buffer[]] = [[], []]
  const ended = Promise.withResolvers<Error | undefined>()
  const failures: Error[] = []
  streams.read({
    stdout(bytes) {
      streams.release()
      out.push(Buffer.from(bytes))
    },
    stderr: (bytes) => void err.push(Buffer.from(bytes)),
    ended: ended.resolve,
    inputFailed: (error) => void failures.push(error),
  })
  const text = (chunks: Buffer[]): string => Buffer.concat(chunks).toString()
  return { ended: ended.promise, failures, stdout: () => text(out), stderr: () => text(err), out }
}

const openFds = (folder: string): number =>
  readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith(folder)
    } catch {
      return false // that of the listing
    }
  }).length

test('both outputs come apart after the announcement, input goes in, its end too, and no name is left', async () => {
  await using it = await place()
  const { streams, folder } = it
  const read = reader(streams)
  const program = it.run('echo out; echo err >&2; cat; exit 3')
  const code = once(program, 'exit')
  await until('its words', () => read.stdout().includes('out\n'))
  assert.deepEqual(
    readdirSync(folder).filter((name) => name !== 'stock'),
    [],
  )
  streams.input.write(Buffer.from('in'))
  streams.input.end()
  assert.equal(await read.ended, undefined)
  assert.equal(read.stdout(), `${program.pid}\nout\nin`)
  assert.equal(read.stderr(), 'err\n')
  assert.deepEqual(await code, [3, null])
  assert.deepEqual(read.failures, [])
  streams.close()
  await until('all to be closed', () => openFds(folder) === 0)
})

test('megabytes go both ways whole, and nothing is read while there is a pause', async () => {
  await using it = await place()
  const { streams } = it
  const read = reader(streams)
  it.run('exec cat')
  await until('its number', () => read.stdout().includes('\n'))
  streams.pause()
  const bytes = randomBytes(24 << 20)
  const before = read.out.length
  let at = 0
  let held = false
  const more = (): void => {
    held = false
    while (at < bytes.length && !held) {
      held = !streams.input.write(bytes.subarray(at, at + 50_000))
      at += 50_000
    }
    if (at >= bytes.length) streams.input.end()
  }
  streams.input.onDrain(more)
  more()
  await until('the input to wait', () => held)
  assert.ok(at < 2 << 20, `${at} bytes went in while nobody read`)
  assert.equal(read.out.length, before)
  streams.resume()
  assert.equal(await read.ended, undefined)
  const all = Buffer.concat(read.out)
  const sum = (data: Uint8Array): string => createHash('sha256').update(data).digest('hex')
  assert.equal(sum(all.subarray(all.indexOf(10) + 1)), sum(bytes))
})

test('a program that leaves its input is no failure', async () => {
  await using it = await place()
  const { streams } = it
  const read = reader(streams)
  it.run('exec <&-; echo closed; sleep 0.3; exit 0')
  await until('its words', () => read.stdout().includes('closed'))
  assert.equal(streams.input.write(Buffer.alloc(1000)), true)
  assert.equal(await read.ended, undefined)
  assert.deepEqual(read.failures, [])
  assert.equal(streams.input.write(Buffer.alloc(1000)), false)
})

test('those that nobody has opened end when they are let go, and not before', async () => {
  await using it = await place()
  const { streams } = it
  const read = reader(streams)
  let over = false
  void read.ended.then(() => {
    over = true
  })
  await new Promise((resolve) => setTimeout(resolve, 100))
  assert.equal(over, false)
  streams.release()
  assert.equal(await read.ended, undefined)
})

test('a program that cannot open all of them takes none, and goes on with what it had', async () => {
  await using it = await place()
  rmSync(`${it.path}.err`)
  mkdirSync(`${it.path}.err`)
  const [program = '', ...words] = announcedOver(it.path, shell, ['sh', '-c', 'echo here; ls /proc/self/fd; cat'])
  const { stdout } = spawnSync(program, words, { input: 'all', encoding: 'utf8' })
  assert.match(stdout, /^\d+\nhere\n[\d\n]*all$/)
  assert.doesNotMatch(stdout, /^[789]$/m)
})

test('a thousand programs at once, of two workers in one folder, have names of their own', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'containerssh-streams-'))
  const stocks = ['one', 'other'].map((name) => createStock(join(folder, name)))
  const taking = Array.from({ length: 500 }, () =>
    stocks.map((stock) => stock.take(folder, AbortSignal.timeout(60_000))),
  ).flat()
  assert.equal(new Set(await Promise.all(taking)).size, 1000)
  rmSync(folder, { recursive: true })
})

test('a folder that others can write to is not taken', () => {
  const folder = mkdtempSync(join(tmpdir(), 'containerssh-streams-'))
  checkOwned(folder)
  chmodSync(folder, 0o777)
  assert.throws(() => checkOwned(folder), /not a folder of our own/)
  chmodSync(folder, 0o1777)
  checkOwned(folder)
  mkdirSync(join(folder, 'inner'))
  assert.throws(() => checkOwned('/proc/self/exe'), /not a folder of our own/)
  rmSync(folder, { recursive: true })
})
