import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Fault, fault } from '../../../src/shared/codes/fault.ts'
import { defaults } from '../../../src/shared/config/schema.ts'
import { createUserConfigs, type UserSettings } from '../../../src/shared/config/user/index.ts'
import type { RoomFactory } from '../../../src/workers/backends/index.ts'
import { openRooms } from '../../../src/workers/backends/rooms.ts'
import { core } from '../../../src/workers/layers/core.ts'
import type { ConnectionId, Member, Peer } from '../../../src/workers/ports.ts'
import { createRoom, type TestRoom } from '../../rigs/room.ts'
import { testLog } from '../webhook/rig.ts'

const identity = { owner: 'test', instance: 'test' }
const never = new AbortController().signal

/** Two kinds of rooms, the second of which may not be to be had; `opened` names those that were made, and that ended. */
function house(isBroken = () => false) {
  const opened: string[] = []
  const made = new Map<string, TestRoom>()
  const factory =
    (name: string): RoomFactory =>
    async () => {
      if (name === 'second' && isBroken()) throw fault('DOCKER_CONFIG_ERROR', { reason: 'no engine' })
      const room = createRoom()
      opened.push(name)
      made.set(name, room)
      return {
        ...room,
        reap: async () => 2,
        async [Symbol.asyncDispose]() {
          opened.push(`end of ${name}`)
        },
      }
    }
  const { log, ...rest } = testLog()
  const config = { ...defaults(), backend: 'first' }
  const factories = { first: factory('first'), second: factory('second') }
  return { opened, made, log, ...rest, config, open: () => openRooms(factories, config, identity, log) }
}

test('the configured room is there from the start, others from the first user who needs them, all to the end', async () => {
  const { opened, open } = house()
  const rooms = await open()
  assert.deepEqual([opened, rooms.names], [['first'], ['first', 'second']])
  const [a, b] = await Promise.all([rooms.open('second'), rooms.open('second')])
  assert.equal(a, b)
  assert.equal(await rooms.open('first'), rooms.main)
  assert.equal(await rooms.reap(never), 4)
  await rooms[Symbol.asyncDispose]()
  assert.deepEqual(opened.toSorted(), ['end of first', 'end of second', 'first', 'second'])
})

test('a user is led to the room of his settings; one that cannot be made refuses him, and is tried again for the next', async () => {
  let isBroken = true
  const { made, open, log, codes, config } = house(() => isBroken)
  await using rooms = await open()
  const connectionId = '0'.repeat(32) as ConnectionId
  const peer: Peer = { connectionId, remoteAddress: '192.0.2.1', remotePort: 1, country: 'XX', clientVersion: '', log }
  const found = createUserConfigs(config, rooms.names).settingsFor({ backend: 'second' }, () => assert.fail())
  assert.ok('settings' in found)
  const nothing = new Map<string, never>()
  const member = (settings?: UserSettings): Member => ({
    ...{ username: 'alice', authenticatedUsername: 'alice', metadata: nothing, environment: nothing, files: nothing },
    ...(settings && { settings }),
  })
  const connection = core(({ settings }) => (settings === undefined ? rooms.main : rooms.open(settings.backend)), peer)
  const refusal = await connection.enter(member(found.settings), never)
  assert.ok(!refusal.accepted && refusal.fault instanceof Fault)
  assert.equal(refusal.fault.code, 'DOCKER_CONFIG_ERROR')
  assert.deepEqual(codes(), ['DOCKER_CONFIG_ERROR'])
  isBroken = false
  for (const settings of [found.settings, undefined]) {
    const verdict = await connection.enter(member(settings), never)
    assert.ok(verdict.accepted)
  }
  assert.deepEqual([made.get('first')?.inside(), made.get('second')?.inside()], [1, 1])
})
