import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { canonicalAddress, netBlockOf, networks, parseNetwork } from '../../src/shared/address.ts'

test('an address has one spelling: RFC 5952, no zone, no mapping', () => {
  assert.deepEqual(
    ['192.0.2.1', '2001:0DB8::0001', '::ffff:192.0.2.1', '::ffff:c000:201', 'fe80::1%eth0', '::1'].map(
      canonicalAddress,
    ),
    ['192.0.2.1', '2001:db8::1', '192.0.2.1', '192.0.2.1', 'fe80::1', '::1'],
  )
  for (const text of ['', 'localhost', '1.2.3', '1.2.3.256', '01.2.3.4', ':::', '1::2::3', '[::1]', '1.2.3.4%lo']) {
    assert.equal(canonicalAddress(text), undefined, text)
  }
})

test('the addresses of one network are one source', () => {
  const block = (address: string, ipv4: number, ipv6: number): string =>
    netBlockOf(canonicalAddress(address) ?? '', { ipv4, ipv6 })
  for (const address of ['2001:db8:1:2::1', '2001:db8:1:2:ffff:ffff:ffff:ffff', '2001:0db8:0001:0002:3::4']) {
    assert.equal(block(address, 32, 64), '2001:db8:1:2::/64')
  }
  assert.equal(block('2001:db8::1', 32, 64), '2001:db8::/64')
  assert.equal(block('2001:db8::2:3:4:5:6', 32, 64), '2001:db8:0:2::/64')
  assert.equal(block('2001:db8::1', 32, 128), '2001:db8::1')
  assert.equal(block('::1', 32, 64), '::/64')
  assert.equal(block('fe80::1%eth0', 32, 64), 'fe80::/64')
  assert.equal(block('::192.0.2.1', 32, 112), '::192.0.0.0/112')
  assert.equal(block('192.0.2.1', 32, 64), '192.0.2.1')
  assert.equal(block('::ffff:192.0.2.77', 24, 64), '192.0.2.0/24')
  assert.equal(block('255.255.255.255', 0, 0), '0.0.0.0/0')
})

test('an address is in the network that its block is, for every length of prefix', () => {
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), fc.nat(32), fc.nat(128), (text, ipv4, ipv6) => {
      const address = canonicalAddress(text) ?? assert.fail(text)
      const block = netBlockOf(address, { ipv4, ipv6 })
      assert.ok(networks([block])(address), `${address} in ${block}`)
      assert.notEqual(parseNetwork(block), undefined)
    }),
  )
})

test('a network is CIDR or one address, with no bits beyond the prefix', () => {
  assert.deepEqual(parseNetwork('10.0.0.0/8'), { address: '10.0.0.0', bits: 8 })
  assert.deepEqual(parseNetwork('::/0'), { address: '::', bits: 0 })
  assert.deepEqual(parseNetwork('2001:db8::1'), { address: '2001:db8::1', bits: 128 })
  for (const text of ['10.0.0.1/8', '10.0.0.0/33', '2001:db8::/129', '::1/64', 'x', '', '10.0.0.0/', 'fe80::1%lo']) {
    assert.equal(parseNetwork(text), undefined, text)
  }
})

test('an address is in a list of networks if it is in one of them; nothing is in an empty list', () => {
  const inside = networks(['10.0.0.0/8', '2001:db8::/32', '192.0.2.7'])
  assert.deepEqual(['10.9.8.7', '2001:db8:ffff::1', '192.0.2.7'].map(inside), [true, true, true])
  assert.deepEqual(['11.0.0.1', '2001:db9::1', '192.0.2.8', '::1'].map(inside), [false, false, false, false])
  assert.equal(networks([])('10.0.0.1'), false)
})
