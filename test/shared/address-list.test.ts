import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseAddressPatterns, parseNetworks } from '../../src/shared/address-list.ts'

const lists: readonly (readonly [list: string, inside: readonly string[], outside: readonly string[]])[] = [
  ['192.0.2.1', ['192.0.2.1'], ['192.0.2.10', '2001:db8::1', '']],
  ['192.0.2.0/24,2001:db8::/32', ['192.0.2.255', '2001:db8:ffff::1'], ['192.0.3.0', '2001:db9::']],
  ['0.0.0.0/0', ['203.0.113.9'], ['::1']],
  ['::/0', ['::1', '2001:db8::'], ['203.0.113.9']],
]
for (const [list, inside, outside] of lists) {
  test(`${list} holds its addresses, as networks and as patterns, and no others`, () => {
    for (const parse of [parseNetworks, parseAddressPatterns]) {
      for (const address of inside) assert.equal(parse(list).includes(address), true, address)
      for (const address of outside) assert.equal(parse(list).includes(address), false, address)
    }
  })
}

const patterns: readonly (readonly [list: string, inside: readonly string[], outside: readonly string[]])[] = [
  ['192.0.2.*', ['192.0.2.1', '192.0.2.200'], ['192.0.20.1', '1192.0.2.1']],
  ['10.?.0.1', ['10.9.0.1'], ['10.10.0.1']],
  ['*', ['10.0.0.1', '2001:db8::1'], ['not an address']],
  ['2001:DB8:*', ['2001:db8::1'], ['2001:db9::1']],
  ['*,!10.0.0.0/8', ['11.0.0.1', '::1'], ['10.1.2.3']],
  ['!10.0.0.7,10.0.0.0/24', ['10.0.0.8'], ['10.0.0.7']],
  ['10.0.0.0/24,!10.0.0.1?', ['10.0.0.1', '10.0.0.20'], ['10.0.0.12']],
]
for (const [list, inside, outside] of patterns) {
  test(`from="${list}" lets in whom it names, and exclusion wins`, () => {
    for (const address of inside) assert.equal(parseAddressPatterns(list).includes(address), true, address)
    for (const address of outside) assert.equal(parseAddressPatterns(list).includes(address), false, address)
  })
}

for (const list of [
  '',
  '10.0.0.0/33',
  '10.0.0.0/-1',
  '10.0.0.0/8/8',
  '10.0.0',
  '::1%lo',
  'fe80::/129',
  '10.0.0.1, ::1',
]) {
  test(`${JSON.stringify(list)} is no list of networks`, () => {
    assert.throws(() => parseNetworks(list), /is no address and no network/)
    assert.throws(() => parseAddressPatterns(list), /is no address, network or pattern/)
  })
}

test('names of hosts are refused, since one that is excluded could not be kept out', () => {
  for (const list of ['host.example.com', '*.example.com', '*,!evil.example.com']) {
    assert.throws(() => parseAddressPatterns(list), /names are not looked up/)
  }
})

test('a list that only excludes is refused, since it matches nobody', () => {
  assert.throws(() => parseAddressPatterns('!10.0.0.0/8'), /only excludes/)
})

test('an address is in its own network of any length, and in no list that excludes it', () => {
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), fc.nat(128), (address, bits) => {
      const isFour = !address.includes(':')
      const network = `${address}/${isFour ? bits % 33 : bits}`
      assert.equal(parseNetworks(network).includes(address), true)
      assert.equal(parseAddressPatterns(`${network},!${address}`).includes(address), false)
    }),
  )
})
