/** Connections into the container and out of it (RFC 4254 section 7, OpenSSH's PROTOCOL section 2.4). */
import assert from 'node:assert/strict'
import { text } from 'node:stream/consumers'
import type { Arrive, Door, Target } from '../../../src/workers/ports.ts'
import { until } from '../../rigs/daemon.ts'
import { talk } from '../rig.ts'
import type { Behaviour, Place } from './behaviour.ts'

const origin = { address: '192.0.2.9', port: 9 }
const signal = (): AbortSignal => AbortSignal.timeout(30_000)

/** In session mode the way leads into the container of a program that runs. */
async function inhabited({ another, script, row }: Place) {
  const rig = await another()
  const session = rig.enter()
  const channel = await talk(session, { keepOpen: true })
  await channel.start(script('echo ready; cat'))
  await until('ready', () => channel.stdout.text.includes('ready'))
  const leave = async (): Promise<void> => {
    await session[Symbol.asyncDispose]()
    if (row.can.has('removal')) assert.deepEqual(await rig.containers(), [])
    await rig[Symbol.asyncDispose]()
  }
  return { rig, session, leave }
}

const both = (name: string, door: Door, targetOf: (port: number) => Target): Behaviour => ({
  name: `${name} that is opened in the container leads to the client, who reaches it there`,
  needs: 'forwarding',
  async run(place) {
    const { session, leave } = await inhabited(place)
    const arrive: Arrive = (_door, stream) => void stream.pipe(stream)
    const listening = await session.listen(door, arrive, signal())
    assert.ok(listening.accepted, listening.accepted ? '' : listening.fault.message)
    const dialled = await session.dial(targetOf(listening.value.port), origin, signal())
    assert.ok(dialled.accepted, dialled.accepted ? '' : dialled.fault.message)
    const bytes = 'there and back\n'.repeat(20_000)
    dialled.value.end(bytes)
    assert.ok((await text(dialled.value)) === bytes)
    await listening.value[Symbol.asyncDispose]()
    await leave()
  },
  otherwise: 'is refused where nobody in the container can do it',
  async without(place) {
    const { rig, session, leave } = await inhabited(place)
    const verdict = await session.listen(door, () => undefined, signal())
    assert.equal(!verdict.accepted && verdict.fault.code, 'SSH_FORWARD_LISTEN_FAILED')
    await rig.logged(place.code('FORWARDING_FAILED'), ({ labels }) => /guest agent/.test(String(labels['reason'])))
    await leave()
  },
})

export const forwarding: readonly Behaviour[] = [
  both('a port', { kind: 'tcp', host: '127.0.0.1', port: 0 }, (port) => ({ kind: 'tcp', host: '127.0.0.1', port })),
  both('a socket', { kind: 'unix', path: '/door.sock' }, () => ({ kind: 'unix', path: '/door.sock' })),
  {
    name: 'a port at which nobody listens is not reached',
    async run(place) {
      const { session, leave } = await inhabited(place)
      const verdict = await session.dial({ kind: 'tcp', host: '127.0.0.1', port: 9 }, origin, signal())
      assert.equal(!verdict.accepted && verdict.fault.code, 'SSH_FORWARD_CONNECT_FAILED')
      await leave()
    },
  },
]
