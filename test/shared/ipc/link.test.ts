import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, test } from 'node:test'
import fc from 'fast-check'
import type { Contract } from '../../../src/shared/ipc/contract.ts'
import { encodeFrame } from '../../../src/shared/ipc/frame.ts'
import { createLink, type Link, type LinkOptions, ProtocolError } from '../../../src/shared/ipc/link.ts'

type Say = { readonly kind: 'say'; readonly text: string }
const isText = (value: unknown): boolean => typeof value === 'string'
const contract: Contract<Say> = { say: { phases: ['starting', 'serving'], shape: { text: isText } } }

const folder = mkdtempSync(join(tmpdir(), 'containerssh-link-'))
const server = createServer({ allowHalfOpen: false })
const sockets: Socket[] = []
before(() => new Promise<void>((resolve) => server.listen(join(folder, 'pipe'), resolve)))
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy()
})
after(() => {
  server.close()
  rmSync(folder, { recursive: true })
})

/** Two ends of one Unix socket: what Node makes of a `pipe` in a child's stdio. */
async function pipe(): Promise<[Socket, Socket]> {
  const far = new Promise<Socket>((resolve) => server.once('connection', resolve))
  const near = connect(join(folder, 'pipe'))
  const pair: [Socket, Socket] = [near, await far]
  sockets.push(...pair)
  return pair
}

interface End {
  readonly link: Link<Say>
  readonly received: string[]
  readonly closed: Promise<Error | undefined>
}
function endOf(stream: Socket, options: Partial<LinkOptions<Say, Say>> = {}): End {
  const received: string[] = []
  const closed = Promise.withResolvers<Error | undefined>()
  const receive = (message: Say): void => void received.push(message.text)
  const link = createLink<Say, Say>({
    stream,
    outgoing: contract,
    incoming: contract,
    receive,
    closed: closed.resolve,
    ...options,
  })
  return { link, received, closed: closed.promise }
}
const turns = async (ready: () => boolean): Promise<void> => {
  while (!ready()) await new Promise((resolve) => setImmediate(resolve))
}
const say = (text: string): Say => ({ kind: 'say', text })

test('messages go both ways at once, in order', async () => {
  const [a, b] = await pipe()
  const [near, far] = [endOf(a), endOf(b)]
  const texts = Array.from({ length: 2000 }, (_, i) => `${i}${'x'.repeat(i % 100)}`)
  for (const text of texts) {
    near.link.send(say(text))
    far.link.send(say(`re: ${text}`))
  }
  await turns(() => near.received.length === 2000 && far.received.length === 2000)
  assert.deepEqual(far.received, texts)
  assert.deepEqual(
    near.received,
    texts.map((text) => `re: ${text}`),
  )
})

test('messages of one turn are one write', async () => {
  const [a, b] = await pipe()
  const near = endOf(a)
  const chunks: Buffer[] = []
  b.on('data', (chunk: Buffer) => chunks.push(chunk))
  for (let i = 0; i < 50; i++) near.link.send(say('hello'))
  const expected = 50 * encodeFrame(say('hello')).length
  await turns(() => chunks.reduce((sum, chunk) => sum + chunk.length, 0) === expected)
  assert.equal(chunks.length, 1)
})

test('a reader that pauses makes send() false, and drained() waits until it reads on', async () => {
  const [a, b] = await pipe()
  const [near, far] = [endOf(a, { highBytes: 10_000 }), endOf(b)]
  far.link.pause()
  // More than both kernel buffers and the far stream's own buffer hold.
  const sent = 2000
  let room = true
  for (let i = 0; i < sent; i++) room = near.link.send(say('x'.repeat(1000)))
  assert.equal(room, false)
  assert.ok(near.link.queuedBytes > 10_000)
  assert.equal(near.link.offer(say('not taken')), false)
  let drained = false
  const waiting = near.link.drained().then(() => {
    drained = true
  })
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve))
  assert.equal(drained, false)
  far.link.resume()
  await waiting
  assert.ok(near.link.queuedBytes <= 5000)
  assert.equal(near.link.offer(say('taken')), true)
  await turns(() => far.received.length === sent + 1)
  assert.equal(far.received.at(-1), 'taken')
})

test('pause() in the middle of a batch holds the rest back, and resume() delivers it', async () => {
  const [a, b] = await pipe()
  const received: string[] = []
  const near = endOf(a)
  const far = endOf(b, {
    receive(message) {
      received.push(message.text)
      if (message.text === '3') far.link.pause()
    },
  })
  for (let i = 0; i < 10; i++) near.link.send(say(String(i)))
  await turns(() => received.length >= 4)
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual(received, ['0', '1', '2', '3'])
  far.link.resume()
  assert.equal(received.length, 10)
})

test('a reader that never reads ends the link instead of filling our memory', async () => {
  const [a, b] = await pipe()
  b.pause()
  const near = endOf(a, { limitBytes: 100_000 })
  for (let i = 0; i < 2000 && near.link.open; i++) near.link.send(say('x'.repeat(1000)))
  const error = await near.closed
  assert.ok(error instanceof ProtocolError)
  assert.match(error.message, /not read/)
  assert.ok(near.link.peakBytes < 110_000)
  assert.equal(near.link.queuedBytes, 0)
})

test('garbage, a hostile length, an unknown message and a wrong shape each end the link with one clear error', async () => {
  const frames: readonly (readonly [Buffer, RegExp])[] = [
    [Buffer.from('ffffffff00', 'hex'), /a frame of 4294967295 bytes/],
    [Buffer.from('00000001c1', 'hex'), /0xc1/],
    [encodeFrame({ kind: 'shout', text: 'x' }), /unknown message "shout"/],
    [encodeFrame({ kind: 'toString', text: 'x' }), /unknown message "toString"/],
    [encodeFrame({ kind: 'say', text: 5 }), /a wrong text in the message say/],
    [encodeFrame({ kind: 'say' }), /a wrong text in the message say/],
    [encodeFrame(['say']), /without a kind/],
    [encodeFrame(null), /without a kind/],
  ]
  for (const [frame, pattern] of frames) {
    const [a, b] = await pipe()
    const far = endOf(b)
    a.write(Buffer.concat([encodeFrame(say('fine')), frame, encodeFrame(say('never seen'))]))
    const error = await far.closed
    assert.ok(error instanceof ProtocolError)
    assert.match(error.message, pattern)
    assert.deepEqual(far.received, ['fine'])
    assert.equal(far.link.open, false)
  }
})

test('a message out of phase ends the link of the receiver, and throws at the sender', async () => {
  const [a, b] = await pipe()
  const [near, far] = [endOf(a), endOf(b)]
  far.link.phase = 'draining'
  near.link.send(say('x'))
  assert.match(String(await far.closed), /say in phase draining/)
  const other = endOf((await pipe())[0])
  other.link.phase = 'draining'
  assert.throws(() => other.link.send(say('x')), /must not be sent/)
})

test('arbitrary bytes end the link or wait for more, and nothing is thrown', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 200 }), async (bytes) => {
      const [a, b] = await pipe()
      const far = endOf(b)
      a.end(bytes)
      const error = await far.closed
      assert.ok(error instanceof Error)
      assert.deepEqual(far.received, [])
      a.destroy()
    }),
    { numRuns: 100 },
  )
})

test('an orderly end is no error; an end within a message is one, but no breach of the rules', async () => {
  const [a, b] = await pipe()
  const far = endOf(b)
  a.end(encodeFrame(say('bye')))
  assert.equal(await far.closed, undefined)
  assert.deepEqual(far.received, ['bye'])
  const [c, d] = await pipe()
  const cut = endOf(d)
  c.end(encodeFrame(say('bye')).subarray(0, 7))
  const error = await cut.closed
  assert.match(String(error), /within a message/)
  assert.equal(error instanceof ProtocolError, false)
})

test('after the end send() does nothing and drained() does not hang', async () => {
  const [a] = await pipe()
  const near = endOf(a)
  near.link.close()
  assert.equal(near.link.send(say('x')), false)
  await near.link.drained()
  assert.equal(await near.closed, undefined)
})
