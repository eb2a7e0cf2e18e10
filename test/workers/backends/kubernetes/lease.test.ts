/** The end of a lease, with an API server that does what a real one does under heavy load, but not when it is asked to. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { aborted } from '../../../../src/shared/deadline.ts'
import { createLog } from '../../../../src/shared/log.ts'
import type { Call, Client } from '../../../../src/workers/backends/kubernetes/client.ts'
import { ApiError } from '../../../../src/workers/backends/kubernetes/failure.ts'
import { createLeases } from '../../../../src/workers/backends/kubernetes/lease.ts'

const identity = { owner: 'a-b-1-2-3', instance: 'test' }
const noClient = (): never => {
  throw new Error('leases need only requests')
}

function leasesOf(answer: (call: Call, signal: AbortSignal) => Promise<unknown>) {
  const codes: string[] = []
  const write = ({ code, level }: { code: string; level: string }): void => void codes.push(`${code} ${level}`)
  const client: Client = {
    ...{ server: 'https://test', lines: noClient, stream: noClient, inLine: noClient, close: async () => undefined },
    request: answer,
  }
  const log = createLog({ level: 'debug', write })
  return { codes, leases: createLeases(client, identity, 60_000, log, () => undefined) }
}

test('a lease is removed although the round before does not end, and the server is overloaded', async () => {
  const removals: boolean[] = []
  const looking = Promise.withResolvers<void>()
  const { codes, leases } = leasesOf(async ({ method }, signal) => {
    if (method === 'GET') {
      looking.resolve()
      await aborted(signal)
      throw new ApiError(0, 'no answer')
    }
    if (method !== 'DELETE') return {}
    removals.push(signal.aborted)
    if (removals.length < 3) throw new ApiError(503, 'overloaded')
    return {}
  })
  const held = leases.hold('default')
  await looking.promise
  await leases[Symbol.asyncDispose]()
  await held
  assert.deepEqual(removals, [false, false, false])
  assert.deepEqual(codes, ['KUBERNETES_LEASE_FAILED debug', 'KUBERNETES_LEASE_FAILED debug'])
})

test('a lease is removed after its creation, however long that takes', async () => {
  const calls: string[] = []
  const creating = Promise.withResolvers<void>()
  const created = Promise.withResolvers<void>()
  const { leases } = leasesOf(async ({ method }) => {
    if (method === 'PATCH') throw new ApiError(404, 'not found')
    if (method === 'POST') {
      creating.resolve()
      await created.promise
    }
    calls.push(method)
    return method === 'GET' ? { items: [] } : {}
  })
  void leases.hold('default')
  await creating.promise
  const ended = leases[Symbol.asyncDispose]()
  created.resolve()
  await ended
  assert.deepEqual([calls[0], calls.at(-1)], ['POST', 'DELETE'])
})

test('a lease that cannot be removed is told about, one that is gone is not', async () => {
  for (const [statusCode, expected] of [
    [403, ['KUBERNETES_LEASE_FAILED warning']],
    [404, []],
  ] as const) {
    const { codes, leases } = leasesOf(async ({ method }) => {
      if (method === 'DELETE') throw new ApiError(statusCode, 'no')
      return { items: [] }
    })
    await leases.hold('default')
    await leases[Symbol.asyncDispose]()
    assert.deepEqual(codes, expected)
  }
})
