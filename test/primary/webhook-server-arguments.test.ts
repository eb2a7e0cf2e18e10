import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseArguments, usage } from '../../src/primary/arguments.ts'

const parse = (text: string) => parseArguments(['webhook-server', ...text.split(' ').filter((word) => word !== '')])
const wrong = (message: string) => ({ kind: 'wrong', message })

test('the webhook server has a default address, and TLS with a certificate and its key', () => {
  const plain = { kind: 'webhook-server', users: 'u', listen: '127.0.0.1:8080', tls: undefined }
  assert.deepEqual(parse('--users u'), plain)
  assert.deepEqual(parse('-users=u --listen [::]:1'), { ...plain, listen: '[::]:1' })
  const tls = { cert: 'c', key: 'k' }
  assert.deepEqual(parse('--users u --tls-cert c --tls-key k'), { ...plain, tls })
  assert.deepEqual(parse('--users u --tls-cert c --tls-key k --client-ca=a'), {
    ...plain,
    tls: { ...tls, clientCa: 'a' },
  })
  assert.deepEqual(parse('--help'), { kind: 'help' })
  assert.match(usage, /webhook-server --users FILE/)
})

test('what is wrong with its arguments is said in a line', () => {
  assert.deepEqual(parse(''), wrong('webhook-server needs --users FILE'))
  assert.deepEqual(parse('--users'), wrong('flag needs a value: --users'))
  assert.deepEqual(parse('--users='), wrong('flag needs a value: --users'))
  assert.deepEqual(parse('--user u'), wrong('unknown argument of webhook-server: --user; did you mean --users?'))
  assert.deepEqual(parse('u'), wrong('unknown argument of webhook-server: u'))
  assert.deepEqual(parse('--users u --tls-cert c'), wrong('--tls-cert and --tls-key belong together'))
  assert.deepEqual(parse('--users u --client-ca c'), wrong('--client-ca needs --tls-cert and --tls-key'))
})
