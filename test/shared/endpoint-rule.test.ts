import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { endpointRuleProblem, isAmbiguous, parseEndpointRule } from '../../src/shared/endpoint-rule.ts'

const matches = (text: string, host: string, port: number): boolean => {
  const rule = parseEndpointRule(text)
  if (typeof rule === 'string') throw new Error(`${text} ${rule}`)
  return rule({ host, port })
}

for (const [rule, host, port, expected] of [
  ['db.example.com:5432', 'db.example.com', 5432, true],
  ['db.example.com:5432', 'DB.Example.COM.', 5432, true],
  ['DB.example.com.:5432', 'db.example.com', 5432, true],
  ['db.example.com:5432', 'db.example.com', 5433, false],
  ['db.example.com:5432', 'db.example.com.evil.org', 5432, false],
  ['*.example.com:443', 'a.b.example.com', 443, true],
  ['*.example.com:443', 'example.com', 443, false],
  ['*:443', '', 443, true],
  ['*:443', '2001:db8::1', 443, true],
  ['*:*', 'anything', 0, true],
  ['*:8000-8999', 'x', 8000, true],
  ['*:8000-8999', 'x', 8999, true],
  ['*:8000-8999', 'x', 7999, false],
  ['*:8000-8999', 'x', 9000, false],
  ['*:1-65535', 'x', 0, false],
  ['10.0.0.0/8:22', '10.255.0.1', 22, true],
  ['10.0.0.0/8:22', '11.0.0.1', 22, false],
  ['10.0.0.0/8:22', '::ffff:10.1.2.3', 22, true],
  ['10.0.0.0/8:22', '::ffff:a01:203', 22, true],
  ['10.0.0.0/8:22', '10.example.com', 22, false],
  ['192.0.2.7:22', '192.0.2.7', 22, true],
  ['192.0.2.7:22', '192.0.2.70', 22, false],
  ['[::1]:*', '0:0:0:0:0:0:0:1', 80, true],
  ['[::1]:*', '::1%lo', 80, true],
  ['[::1]:*', '::2', 80, false],
  ['[2001:db8::/32]:443', '2001:DB8:ffff::1', 443, true],
  ['[2001:db8::/32]:443', '2001:db9::1', 443, false],
  [':8080', '', 8080, true],
  [':8080', 'localhost', 8080, false],
  ['localhost:8080', 'localhost', 8080, true],
] as const) {
  test(`the rule ${rule} ${expected ? 'covers' : 'does not cover'} ${JSON.stringify(host)} port ${port}`, () => {
    assert.equal(matches(rule, host, port), expected)
  })
}

test('rules that cannot be meant are refused with the reason', () => {
  for (const [text, reason] of [
    ['example.com', /is not a rule; expected HOST:PORT/],
    ['', /is not a rule/],
    ['a:', /has no port/],
    ['a:65536', /has no port/],
    ['a:9-8', /has no port/],
    ['a:http', /has no port/],
    ['a:-1', /has no port/],
    ['::1:22', /IPv6 address without brackets/],
    ['[10.0.0.1]:22', /has no IPv6 address or network/],
    ['[::1:22', /IPv6 address without brackets/],
    ['[2001:db8::/129]:22', /has no IPv6/],
    ['10.0.0.0/33:22', /has no IPv4/],
    ['10.0.0.0/8/8:22', /has no IPv4/],
    ['10.0.0.0/:22', /has no IPv4/],
    ['example.com/8:22', /has no IPv4/],
    ['10.*:22', /wildcards in an address/],
    ['10.1:22', /half an address/],
    ['0x7f000001:22', /half an address/],
    ['exa mple:22', /has no host name in ASCII/],
    ['exämple.com:22', /has no host name in ASCII/],
  ] as const) {
    assert.match(endpointRuleProblem(text) ?? 'fine', reason, text)
  }
})

test('hosts that a resolver may take for another address are known as such', () => {
  for (const host of ['127.1', '0x7f000001', '2130706433', '017700000001', '0177.0.0.1', '127.0.0.01', '127.0.0.1.']) {
    assert.ok(isAmbiguous(host), host)
  }
  for (const host of ['１２７.0.0.1', 'a b', 'a\n', 'x'.repeat(254)]) assert.ok(isAmbiguous(host), host)
  for (const host of ['127.0.0.1', '::1', 'example.com', '', 'localhost', '4.example', 'a1', 'fe80::1%eth0']) {
    assert.ok(!isAmbiguous(host), host)
  }
})

test('an IPv4 network covers an address if and only if its first bits are the same', () => {
  const word = fc.integer({ min: 0, max: 0xffffffff })
  const dotted = (address: number) => [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.')
  fc.assert(
    fc.property(word, word, fc.integer({ min: 0, max: 32 }), fc.boolean(), (network, other, bits, near) => {
      const address = near ? (network ^ (other >>> bits)) >>> 0 : other
      const same = bits === 0 || network >>> (32 - bits) === address >>> (32 - bits)
      assert.equal(matches(`${dotted(network)}/${bits}:1`, dotted(address), 1), same)
    }),
  )
})

test('no text makes the reader of rules throw', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[[\]0-9a-f.:/*?-]{0,20}$/)), (text) => {
      const rule = parseEndpointRule(text)
      if (typeof rule !== 'string') assert.equal(typeof rule({ host: text, port: 1 }), 'boolean')
      else assert.ok(rule.length > 0)
    }),
    { numRuns: 2000 },
  )
})
