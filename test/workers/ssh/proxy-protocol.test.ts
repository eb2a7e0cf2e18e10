import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { canonicalAddress } from '../../../src/shared/address.ts'
import { HeaderError, type HeaderResult, ProxyHeader } from '../../../src/workers/ssh/proxy-protocol.ts'

const after = 'SSH-2.0-client\r\n'
const signature = '0d0a0d0a000d0a515549540a'

interface V2 {
  readonly version?: number
  readonly command?: number
  readonly family?: number
  readonly protocol?: number
  readonly block?: Uint8Array
  readonly length?: number
}
function v2({ version = 2, command = 1, family = 1, protocol = 1, block = new Uint8Array(), length }: V2): Buffer {
  const head = Buffer.alloc(16)
  head.write(signature, 'hex')
  head.writeUInt8((version << 4) | command, 12)
  head.writeUInt8((family << 4) | protocol, 13)
  head.writeUInt16BE(length ?? block.length, 14)
  return Buffer.concat([head, block])
}
/** Addresses and ports, source first. */
const block4 = (port = 4711): Buffer => {
  const block = Buffer.from([203, 0, 113, 7, 192, 0, 2, 1, 0, 0, 0, 22])
  block.writeUInt16BE(port, 8)
  return block
}
const block6 = (hex: string, port = 4711): Buffer => {
  const block = Buffer.alloc(36)
  block.write(hex, 'hex')
  block.writeUInt16BE(port, 32)
  return block
}

const read = (bytes: string | Uint8Array): HeaderResult | undefined =>
  new ProxyHeader().take(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes)
const plain = (result: HeaderResult | undefined): unknown =>
  result === undefined ? undefined : { ...result, rest: result.rest.toString('latin1') }
const reads = (bytes: string | Uint8Array, source: string | undefined, port = 0): void => {
  const whole = Buffer.concat([Buffer.from(bytes as string, 'latin1'), Buffer.from(after)])
  const expected = source === undefined ? undefined : { address: source, port }
  assert.deepEqual(plain(read(whole)), { kind: 'header', source: expected, rest: after })
}
const wrong = (bytes: string | Uint8Array, reason: RegExp): void =>
  assert.throws(
    () => read(bytes),
    (error) => error instanceof HeaderError && reason.test(error.message),
    JSON.stringify(bytes.toString()),
  )

test('a line of version 1 gives the address of the client', () => {
  reads('PROXY TCP4 203.0.113.7 192.0.2.1 4711 22\r\n', '203.0.113.7', 4711)
  reads('PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n', '255.255.255.255', 65_535)
  reads('PROXY TCP6 2001:DB8:0::7 2001:db8::1 0 22\r\n', '2001:db8::7', 0)
  reads('PROXY TCP6 ::ffff:203.0.113.7 ::1 1 22\r\n', '203.0.113.7', 1)
})

test('PROXY UNKNOWN leaves the address of the connection in force, whatever follows', () => {
  reads('PROXY UNKNOWN\r\n', undefined)
  reads('PROXY UNKNOWN ffff::ffff ffff::ffff 65535 65535\r\n', undefined)
  reads('PROXY UNKNOWN \u0000 anything 99999\r\n', undefined)
})

test('a line that is not exactly of that form is refused', () => {
  for (const line of [
    'PROXY TCP4 203.0.113.7 192.0.2.1 4711',
    'PROXY TCP4  203.0.113.7 192.0.2.1 4711 22',
    'PROXY TCP4 203.0.113.7 192.0.2.1 4711 22 ',
    'PROXY TCP4 203.0.113.7 192.0.2.1 4711 22 33',
    'PROXY tcp4 203.0.113.7 192.0.2.1 4711 22',
    'PROXY UDP4 203.0.113.7 192.0.2.1 4711 22',
    'PROXY UNKNOWNS',
    'PROXY ',
    'PROXY TCP6 fe80::1%lo ::1 1 22',
    'PROXY TCP4 203.0.113.7\t192.0.2.1 4711 22',
    'PROXY TCP4 203.0.113.7\r192.0.2.1 4711 22',
  ]) {
    wrong(`${line}\r\n`, /another form/)
  }
  for (const line of [
    'PROXY TCP4 203.0.113.256 192.0.2.1 4711 22',
    'PROXY TCP4 203.0.113.07 192.0.2.1 4711 22',
    'PROXY TCP4 203.0.113.7 192.0.2 4711 22',
    'PROXY TCP4 ::1 ::1 4711 22',
    'PROXY TCP6 203.0.113.7 192.0.2.1 4711 22',
    'PROXY TCP6 1::2::3 ::1 4711 22',
  ]) {
    wrong(`${line}\r\n`, /wrong address/)
  }
  for (const ports of ['65536 22', '1 65536', '01 22', '1 022']) {
    wrong(`PROXY TCP4 203.0.113.7 192.0.2.1 ${ports}\r\n`, /wrong port/)
  }
  wrong('PROXY TCP4 203.0.113.7 192.0.2.1 4711 22\n', /CR LF/)
})

test('a line has at most 107 bytes', () => {
  const longest = `PROXY UNKNOWN ${'x'.repeat(107 - 16)}\r\n`
  assert.equal(longest.length, 107)
  reads(longest, undefined)
  wrong(longest.replace('\r\n', 'x\r\n'), /longer than 107/)
  assert.equal(read(longest.slice(0, 106)), undefined)
  wrong('PROXY UNKNOWN'.padEnd(107, 'x'), /longer than 107/)
})

test('a block of version 2 gives the address of the client; TLVs are skipped', () => {
  reads(v2({ block: block4() }), '203.0.113.7', 4711)
  reads(v2({ block: Buffer.concat([block4(), Buffer.alloc(4000, 0xee)]) }), '203.0.113.7', 4711)
  reads(v2({ family: 2, block: block6('20010db8000000000000000000000007', 9) }), '2001:db8::7', 9)
  reads(v2({ family: 2, block: block6('00000000000000000000ffffcb007107') }), '203.0.113.7', 4711)
})

test('LOCAL, UNSPEC and what is not TCP leave the address of the connection in force', () => {
  reads(v2({ command: 0, family: 0, protocol: 0 }), undefined)
  reads(v2({ command: 0, family: 15, protocol: 15, block: Buffer.alloc(99) }), undefined)
  reads(v2({ family: 0, protocol: 0, block: Buffer.alloc(20) }), undefined)
  reads(v2({ protocol: 2, block: block4() }), undefined)
  reads(v2({ family: 3, block: Buffer.alloc(216) }), undefined)
})

test('a block that is not of version 2 is refused as soon as its first 16 bytes are there', () => {
  wrong(v2({ version: 1, block: block4() }), /version 1/)
  wrong(v2({ version: 3, block: block4() }), /version 3/)
  wrong(v2({ command: 2, block: block4() }), /command 2/)
  wrong(v2({ family: 4, block: Buffer.alloc(216) }), /family 4/)
  wrong(v2({ protocol: 3, block: block4() }), /protocol 3/)
  wrong(v2({ length: 11 }), /too few/)
  wrong(v2({ family: 2, length: 35 }), /too few/)
  wrong(v2({ length: 4097 }), /more than 4096/)
  assert.equal(read(v2({ length: 4096 })), undefined)
})

test('bytes that begin otherwise are no header, and none of them is lost', () => {
  for (const bytes of [after, 'PROXYTCP4', 'proxy tcp4', '\r\n\r\n\u0001', 'GET / HTTP/1.1\r\n']) {
    assert.deepEqual(plain(read(bytes)), { kind: 'absent', rest: bytes })
  }
})

const headers = fc.oneof(
  fc.tuple(fc.ipV4(), fc.nat(65_535)).map(([address, port]) => ({
    bytes: Buffer.from(`PROXY TCP4 ${address} 192.0.2.1 ${port} 22\r\n`),
    source: { address, port },
  })),
  fc.tuple(fc.ipV6(), fc.nat(65_535)).map(([text, port]) => ({
    bytes: Buffer.from(`PROXY TCP6 ${text} ::1 ${port} 22\r\n`),
    source: { address: canonicalAddress(text), port },
  })),
  fc.tuple(fc.nat(65_535), fc.uint8Array({ maxLength: 300 })).map(([port, tlvs]) => ({
    bytes: v2({ block: Buffer.concat([block4(port), tlvs]) }),
    source: { address: '203.0.113.7', port },
  })),
)

test('in whatever pieces a header comes, it is the same, and every byte after it is kept', () => {
  fc.assert(
    fc.property(headers, fc.uint8Array({ maxLength: 200 }), fc.array(fc.nat(60)), ({ bytes, source }, rest, sizes) => {
      const whole = Buffer.concat([bytes, rest])
      const header = new ProxyHeader()
      let at = 0
      let result: HeaderResult | undefined
      while (result === undefined && at < whole.length) {
        const size = Math.max(1, sizes.shift() ?? 1)
        const chunk = Buffer.from(whole.subarray(at, at + size))
        result = header.take(chunk)
        chunk.fill(0xdd) // lent
        at += size
      }
      assert.ok(result?.kind === 'header')
      assert.deepEqual(result.source, source)
      assert.deepEqual(Buffer.concat([result.rest, whole.subarray(at)]), Buffer.from(rest))
    }),
  )
})

test('no bytes make it throw anything but a HeaderError, nor wait for more than a header can have', () => {
  const starts = fc.constantFrom('', 'PROXY ', 'PROXY TCP4 ', Buffer.from(signature, 'hex').toString('latin1'))
  fc.assert(
    fc.property(starts, fc.uint8Array({ maxLength: 5000, size: 'max' }), (start, bytes) => {
      const whole = Buffer.concat([Buffer.from(start, 'latin1'), bytes])
      try {
        const result = read(whole)
        if (result === undefined) assert.ok(whole.length < 16 + 4096)
        else assert.ok(result.rest.length <= whole.length)
      } catch (error) {
        assert.ok(error instanceof HeaderError, String(error))
      }
    }),
    { numRuns: 2000 },
  )
})
