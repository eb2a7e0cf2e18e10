import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { hijack } from '../../../../src/workers/backends/docker/hijack.ts'
import type { RawStream } from '../../../../src/workers/backends/guest/raw-stream.ts'
import { until } from '../../../rigs/daemon.ts'

interface Attached extends AsyncDisposable {
  readonly raw: RawStream
  /** The engine's end; nothing is read from it yet. */
  readonly engine: Socket
}

/** A stream to an engine that agrees at once. */
async function attach(): Promise<Attached> {
  const folder = mkdtempSync(join(tmpdir(), 'containerssh-hijack-'))
  const path = join(folder, 'engine.sock')
  const asked = Promise.withResolvers<Socket>()
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined)
    socket.once('data', () => {
      socket.pause()
      socket.write('HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n')
      asked.resolve(socket)
    })
  })
  await new Promise<void>((resolve) => server.listen(path, resolve))
  const address = { kind: 'unix', path, host: `unix://${path}` } as const
  const raw = await hijack(address, undefined, { path: '/exec/1/start', body: {} }, AbortSignal.timeout(20_000))
  const engine = await asked.promise
  return {
    raw,
    engine,
    async [Symbol.asyncDispose]() {
      raw.destroy()
      engine.destroy()
      await new Promise((resolve) => server.close(resolve))
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

const nobody = { data: () => undefined, ended: () => undefined, inputFailed: () => undefined }

/** Writes until it is asked to wait; the memory it writes from is used again for each piece. */
function fill(raw: RawStream, piece: Buffer, from: number): number {
  for (let sent = from; ; ) {
    for (let at = 0; at < piece.length; at++) piece[at] = (sent + at) % 251
    sent += piece.length
    if (!raw.write(piece)) return sent - from
  }
}

test('input for an engine that is slow arrives whole and in order, and what waits for it is bounded', async () => {
  await using attached = await attach()
  const { raw, engine } = attached
  raw.read(nobody)
  const piece = Buffer.alloc(30_000)
  let sent = 0
  let ended = false
  const more = (): void => {
    sent += fill(raw, piece, sent)
    // What the kernel holds comes on top of what we do.
    assert.ok(sent - received < 2_000_000, `${sent - received} bytes are under way`)
    if (sent < 20_000_000) return
    raw.onDrain(() => undefined)
    raw.end((error) => {
      assert.equal(error, undefined)
      ended = true
    })
  }
  let received = 0
  raw.onDrain(more)
  more()
  assert.ok(!ended)
  for await (const chunk of engine) for (const byte of chunk) assert.equal(byte, received++ % 251)
  assert.equal(received, sent)
  await until('the end to be told', () => ended)
})

test('input that the engine never takes is reported when it is gone, and so is the end', async () => {
  await using attached = await attach()
  const { raw, engine } = attached
  const failures: Error[] = []
  raw.read({ ...nobody, inputFailed: (error) => failures.push(error) })
  fill(raw, Buffer.alloc(30_000), 0)
  let told = 0
  raw.end(() => {
    told += 1
  })
  engine.destroy()
  await until('both', () => told === 1 && failures.length === 1)
  assert.equal(raw.write(Buffer.from('more')), false)
})
