/**
 * A lot of data through one connection in each direction, while the keys change again and again: first because the client
 * wants it, then because the server does. The sums must be right; the figures are printed.
 */
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { type Login, login } from '../rigs/login.ts'
import type { SshProcess } from '../rigs/ssh.ts'

export interface BulkOptions {
  /** In each direction, once for each side that changes the keys. */
  readonly bytes: number
  readonly rekeyBytes: number
  /** For one direction. */
  readonly limitMs: number
}
export interface Passage {
  readonly initiator: 'client' | 'server'
  readonly direction: 'up' | 'down'
  readonly seconds: number
  readonly mbPerSecond: number
  readonly rekeys: number
  /** Resident memory of all workers, MB: before, after, and at most since they started. */
  readonly memory: { readonly before: number; readonly after: number; readonly most: number }
}

/** MD5, because busybox computes it three times as fast as SHA-256, and nobody attacks. */
const sumChars = 32
/** A prime, so that the block begins at another place in every packet. */
const blockBytes = 1_048_583
/** The server's own limit while the client's is tried: it must not be reached. */
const farAway = 2 ** 36

/** Throws an AssertionError when a sum is wrong or the keys did not change. */
export async function bulk(options: BulkOptions, report: (passage: Passage) => void): Promise<void> {
  for (const initiator of ['client', 'server'] as const) {
    const ssh = { rekeyBytes: initiator === 'server' ? options.rekeyBytes : farAway }
    await using host = await login({ ssh })
    for (const direction of ['up', 'down'] as const) {
      const passage = await pass(host, initiator, direction, options)
      report(passage)
      const fewest = Math.floor(options.bytes / options.rekeyBytes / 2)
      assert.ok(passage.rekeys >= fewest, `${passage.rekeys} key exchanges of the ${initiator}, not ${fewest}`)
    }
  }
}

async function pass(
  host: Login,
  initiator: Passage['initiator'],
  direction: Passage['direction'],
  { bytes, rekeyBytes, limitMs }: BulkOptions,
): Promise<Passage> {
  const mark = host.daemon.lines.length
  const before = memoryMb(host, 'VmRSS')
  const options = initiator === 'client' ? ['-o', `RekeyLimit=${rekeyBytes}`] : []
  const began = performance.now()
  if (direction === 'up') await up(host, options, bytes, limitMs)
  else await down(host, options, bytes, limitMs)
  const seconds = (performance.now() - began) / 1000
  const rekeys = host.daemon.lines
    .slice(mark)
    .filter(({ code, details }) => code === 'SSH_REKEYED' && details['initiator'] === initiator).length
  const memory = { before, after: memoryMb(host, 'VmRSS'), most: memoryMb(host, 'VmHWM') }
  return { initiator, direction, seconds, mbPerSecond: bytes / 1e6 / seconds, rekeys, memory }
}

async function up(host: Login, options: readonly string[], bytes: number, limitMs: number): Promise<void> {
  const child = host.client.start(['md5sum'], options)
  const ended = end(child, limitMs)
  const answer = text(child.stdout)
  const [block, hash] = [randomBytes(blockBytes), createHash('md5')]
  for (let left = bytes; left > 0; left -= block.length) {
    const part = block.subarray(0, left)
    hash.update(part)
    if (!child.stdin.write(part)) await Promise.race([once(child.stdin, 'drain'), ended])
  }
  child.stdin.end()
  await ended
  assert.equal((await answer).slice(0, sumChars), hash.digest('hex'), 'the sum of what the server received')
}

async function down(host: Login, options: readonly string[], bytes: number, limitMs: number): Promise<void> {
  const source = `while cat /tmp/block; do :; done 2>/dev/null | head -c ${bytes}`
  // Data on standard output, its sum on standard error.
  const command = `head -c ${blockBytes} /dev/urandom > /tmp/block; { ${source} | tee /proc/self/fd/3 | md5sum >&2; } 3>&1`
  const child = host.client.start([command], options)
  child.stdin.end()
  const ended = end(child, limitMs)
  const sum = text(child.stderr)
  const hash = createHash('md5')
  let received = 0
  for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
    hash.update(chunk)
    received += chunk.length
  }
  await ended
  assert.equal(received, bytes)
  assert.equal(hash.digest('hex'), (await sum).slice(0, sumChars), 'the sum of what the client received')
}

async function text(stream: AsyncIterable<Buffer>): Promise<string> {
  let all = ''
  for await (const chunk of stream) all += chunk.toString()
  return all
}

/** Rejects when the client fails or takes too long. */
async function end(child: SshProcess, limitMs: number): Promise<void> {
  child.stdin.on('error', () => undefined)
  const timer = setTimeout(() => child.kill('SIGKILL'), limitMs)
  const [code, signal] = await once(child, 'close')
  clearTimeout(timer)
  assert.equal(code, 0, `ssh ended with ${signal ?? code}`)
}

/** Of all workers together; `VmHWM` is the most there ever was (proc_pid_status(5)). */
function memoryMb(host: Login, field: 'VmRSS' | 'VmHWM'): number {
  const kb = host.daemon.workers().map((pid) => {
    const found = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
    return Number(found?.[1])
  })
  return kb.reduce((sum, value) => sum + value, 0) / 1000
}
