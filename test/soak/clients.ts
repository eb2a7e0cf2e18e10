/** What the clients of a soak do, well-behaved and not: each is one connection from its beginning to its end. */
import { randomBytes, randomInt } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { message } from '../../src/workers/ssh/numbers.ts'
import { RawClient } from '../rigs/raw/client.ts'
import { kexInit } from '../rigs/raw/kexinit.ts'
import { approach, exec, handshake, loginWithKey, passwordAttempt, run, session } from '../rigs/raw/login.ts'
import type { House } from './house.ts'

/** Throws when something that must work did not. */
export type Behaviour = (client: RawClient, house: House) => Promise<unknown>

const login = (client: RawClient, { user, key }: House): Promise<RawClient> => loginWithKey(client, user, key)
/** Some time until a kill, so that it hits every stage. */
const moment = (mostMs = 300): Promise<void> => sleep(randomInt(mostMs))
const endless = (house: House): string => (house.name === 'bench' ? 'source 100000000000' : 'cat /dev/zero')
async function works(client: RawClient): Promise<void> {
  const status = await run(client, 'true')
  if (status !== 0) throw new Error(`true gave ${status}`)
}

export const behaviours: Readonly<Record<string, readonly [weight: number, go: Behaviour]>> = {
  session: [10, async (client, house) => works(await login(client, house))],
  'several sessions': [
    4,
    async (client, house) => {
      await login(client, house)
      for (let i = 0; i < 4; i++) await works(client)
    },
  ],
  password: [
    1,
    async (client, { user, password }) => {
      await approach(client)
      client.send(passwordAttempt(user, password))
      await client.receive(message.userauthSuccess)
      await works(client)
    },
  ],
  'wrong password': [
    1,
    async (client, { user }) => {
      await approach(client)
      client.send(passwordAttempt(user, 'wrong'))
      await client.receive(message.userauthFailure)
    },
  ],
  're-key': [
    4,
    async (client, house) => {
      await login(client, house)
      for (let i = 0; i < 3; i++) {
        await client.exchange()
        await works(client)
      }
    },
  ],
  'killed in the middle': [
    8,
    async (client, house) => {
      await login(client, house)
      client.send(exec(await session(client, { windowBytes: 0xffff_ffff }), endless(house)))
      await moment()
      client.socket.resetAndDestroy()
    },
  ],
  'killed while it logs in': [
    4,
    async (client, house) => {
      const end = login(client, house).catch(() => undefined)
      await moment(20)
      client.socket.resetAndDestroy()
      await end
    },
  ],
  'does not read': [
    2,
    async (client, house) => {
      await login(client, house)
      client.send(exec(await session(client, { windowBytes: 0xffff_ffff }), endless(house)))
      client.socket.pause()
      await moment(2000)
    },
  ],
  'half open': [
    4,
    async (client) => {
      const stages = [
        () => undefined,
        () => client.write('SSH-2.0-x'),
        () => client.identify(),
        () => handshake(client),
      ]
      await stages[randomInt(stages.length)]?.()
      // Some wait for the login grace, some do not.
      await Promise.race([client.closed, moment(8000)])
    },
  ],
  'breaks the protocol': [
    4,
    async (client, house) => {
      await (randomInt(2) === 0 ? handshake(client) : login(client, house))
      const noise = [
        randomBytes(randomInt(1, 5000)),
        client.sealed(Buffer.of(98)),
        client.sealed(kexInit({ kex: 'x' })),
      ]
      client.write(noise[randomInt(noise.length)] ?? '')
      client.socket.end()
      await client.closed
    },
  ],
  idle: [
    1,
    async (client, house) => {
      await login(client, house)
      await session(client)
      await moment(5000)
    },
  ],
}

const lots = Object.entries(behaviours).flatMap(([name, [weight]]) => Array<string>(weight).fill(name))

/** One connection of some kind; gives its name. */
export async function oneConnection(house: House): Promise<string> {
  const name = lots[randomInt(lots.length)] ?? 'session'
  const client = await RawClient.connect(house.port)
  // Frozen, because a client that does not read cannot see the end either.
  const limit = setTimeout(() => client.socket.destroy(new Error('no end')), 60_000)
  try {
    await behaviours[name]?.[1](client, house)
  } catch (error) {
    throw new Error(`a client that ${name} failed`, { cause: error })
  } finally {
    clearTimeout(limit)
    client.socket.destroy()
  }
  return name
}
