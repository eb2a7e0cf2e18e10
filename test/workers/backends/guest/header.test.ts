import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Announcement, createHeaderReader, type Header } from '../../../../src/workers/backends/guest/header.ts'

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex')

/** Byte by byte; what is left after the header stays out. */
function read(announcement: Announcement, tty: boolean, bytes: Uint8Array, isEchoed = false): Header {
  const reader = createHeaderReader(announcement, tty, isEchoed)
  for (let at = 0; at < bytes.length; at += 1) {
    const header = reader.push(bytes.subarray(at, at + 1))
    if (header !== undefined) return header
  }
  return reader.end()
}
const pidOf = (header: Header): number | undefined => (header.kind === 'pid' ? header.pid : undefined)

test('the agent announces four bytes, and the rest is output', () => {
  const header = createHeaderReader('agent', false).push(hex('131a0000 68690a'))
  assert.equal(header?.kind === 'pid' && header.pid, 6675)
  assert.equal(header?.kind === 'pid' && Buffer.from(header.rest).toString(), 'hi\n')
})

test('on a terminal each 0d 0a of the announcement is one 0a', () => {
  assert.equal(pidOf(read('agent', true, hex('0d0a000000'))), 10)
  assert.equal(pidOf(read('agent', true, hex('0c000000'))), 12)
})

test('the line that a terminal shows before the announcement is no part of it, if there is one', () => {
  assert.equal(pidOf(read('agent', true, hex('0d0a 01000000'), true)), 1)
  assert.equal(pidOf(read('agent', true, hex('0d0a 0d0a000000'), true)), 10)
  assert.equal(pidOf(read('agent', true, hex('01000000'), true)), 1)
})

test('every process id survives a terminal, in any pieces', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 4_194_304 }), (pid) => {
      const plain = Buffer.alloc(4)
      plain.writeUInt32LE(pid)
      const onTerminal = Buffer.from([...plain].flatMap((byte) => (byte === 0x0a ? [0x0d, 0x0a] : [byte])))
      assert.equal(pidOf(read('agent', false, plain)), pid)
      assert.equal(pidOf(read('agent', true, onTerminal)), pid)
      assert.equal(pidOf(read('shim', false, Buffer.from(`${pid}\n`))), pid)
      assert.equal(pidOf(read('shim', true, Buffer.from(`${pid}\r\n`))), pid)
    }),
  )
})

test('an error message of the runtime is text, not a process id', () => {
  const text = Buffer.from('OCI runtime exec failed: exec failed: no such file')
  for (const announcement of ['agent', 'shim', 'none'] as const) {
    const header = createHeaderReader(announcement, false).push(text)
    assert.equal(header?.kind, 'text')
    assert.equal(header?.kind === 'text' && Buffer.from(header.text).toString(), text.toString())
  }
})

test('a line that is no number, too long, or zero is text', () => {
  for (const line of ['hello\n', '12x\n', '0\n', '99999999\n', '123456789012', '-1\n']) {
    assert.equal(createHeaderReader('shim', false).push(Buffer.from(line))?.kind, 'text', line)
  }
})

test('a stream that ends early has a short header with what there was', () => {
  const header = read('agent', false, hex('0100'))
  assert.equal(header.kind, 'short')
  assert.equal(header.kind === 'short' && header.text.length, 2)
})

test('without an announcement the first output passes at once, unless it may be the runtime speaking', () => {
  assert.equal(createHeaderReader('none', false).push(Buffer.from('O'))?.kind, 'pid')
  assert.equal(createHeaderReader('none', false).push(Buffer.from('OCI runtime')), undefined)
})
