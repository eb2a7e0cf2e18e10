import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { test } from 'node:test'
import { createListener } from '../../../src/primary/listener.ts'
import type { TcpHandle } from '../../../src/shared/ipc/handle.ts'
import { handleSender } from '../../../src/shared/ipc/handle-channel.ts'
import { createLog } from '../../../src/shared/log.ts'
import { until } from '../../primary/rig.ts'

const descriptors = (): number => readdirSync('/proc/self/fd').length

/** A child that does as it is told, and a listener whose connections are handles. */
async function start(act: string, limit?: number) {
  const log = createLog({ level: 'emerg', write: () => undefined })
  const handles: TcpHandle[] = []
  const listener = createListener({ listen: '127.0.0.1:0', log, accept: (handle) => void handles.push(handle) })
  const port = Number((await listener.open()).split(':')[1])
  const script = new URL('handle-receiver.ts', import.meta.url).pathname
  const child = fork(script, [act], { stdio: ['ignore', 'pipe', 'inherit', 'ipc'], ...limited(limit) })
  let said = ''
  child.stdout?.setEncoding('latin1').on('data', (text: string) => {
    said += text
  })
  const offences: string[] = []
  const send = handleSender(child, (what) => void offences.push(what))
  await until('the child', () => said.includes('ready'))
  const clients: Socket[] = []
  return {
    child,
    send,
    offences,
    said: () => said,
    /** So many connections: our handles, and what each client has read. */
    async visit(count: number) {
      const texts = Array.from({ length: count }, () => {
        const client = connect(port, '127.0.0.1')
        clients.push(client)
        const visitor = { text: '', client, closed: once(client, 'close') }
        client.setEncoding('latin1').on('data', (text: string) => {
          visitor.text += text
        })
        client.on('error', () => undefined)
        return visitor
      })
      await until('the connections', () => handles.length === count)
      return { handles: handles.splice(0), visitors: texts }
    },
    async [Symbol.asyncDispose]() {
      for (const client of clients) client.destroy()
      for (const handle of handles) handle.close()
      await listener.close()
      await end(child)
    },
  }
}

/** Node raises its limit of descriptors to the hard one. */
const limited = (limit: number | undefined): object =>
  limit === undefined
    ? {}
    : { execPath: '/bin/sh', execArgv: ['-c', `ulimit -n ${limit}; exec "$0" "$@"`, process.execPath] }

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGKILL')
  await once(child, 'exit')
}

test('a hundred handles of one turn arrive, each with its own message, and no descriptor stays', async () => {
  await using rig = await start('take')
  const warm = await rig.visit(1)
  for (const handle of warm.handles) {
    rig.send('count', handle)
    await warm.visitors[0]?.closed
    handle.close()
  }
  const before = descriptors()
  const { handles, visitors } = await rig.visit(100)
  const ports = new Map<number, string>()
  for (const [index, handle] of handles.entries()) {
    const peer = { port: 0 }
    handle.getpeername(peer)
    ports.set(peer.port, `${index}\n`)
    rig.send(index, handle)
  }
  const local = visitors.map(({ client }) => client.localPort ?? 0)
  await until('the answers', () => visitors.every(({ text }) => text.endsWith('\n')))
  assert.deepEqual(
    visitors.map(({ text }) => text),
    local.map((port) => ports.get(port)),
  )
  for (const handle of handles) handle.close()
  await Promise.all(visitors.map(({ closed }) => closed))
  await until('our descriptors', () => descriptors() === before)
  const again = await rig.visit(1)
  for (const handle of again.handles) {
    rig.send('count', handle)
    await again.visitors[0]?.closed
    handle.close()
  }
  const [first, last] = [...rig.said().matchAll(/descriptors (\d+)/g)].map(([, count]) => count)
  assert.equal(last, first)
  assert.deepEqual(rig.offences, [])
})

test('a message whose handle the other side has no descriptor for comes without it, and the next with its own', async () => {
  await using rig = await start('take', 64)
  const { handles, visitors } = await rig.visit(3)
  const [one, two, three] = handles
  assert.ok(one !== undefined && two !== undefined && three !== undefined)
  rig.send('spend', one)
  await until('it to be spent', () => rig.said().includes('spent'))
  rig.send('second', two)
  await until('the message', () => rig.said().includes('second without a handle'))
  rig.send('third', three)
  await until('the answer', () => visitors.some(({ text }) => text === 'third\n'))
  assert.equal(visitors.filter(({ text }) => text === '').length, 1)
  for (const handle of handles) handle.close()
})

test('a child that takes nothing loses its channel before a handle has to wait', async () => {
  await using rig = await start('deaf')
  const { handles } = await rig.visit(1)
  const [handle] = handles
  assert.ok(handle !== undefined)
  for (let i = 0; i < 10_000; i++) rig.send(i, handle)
  assert.deepEqual(rig.offences, ['connections were not taken'])
  assert.equal(rig.child.connected, false)
  handle.close()
  await new Promise(setImmediate)
  rig.send('late', handle) // does nothing
})

test('nothing that a child says on the channel reaches Node, and one that says much loses it', async () => {
  await using rig = await start('chatter')
  let heard = 0
  rig.child.on('message', () => heard++)
  rig.child.on('internalMessage', () => heard++)
  await until('the offence', () => rig.offences.length === 1)
  assert.deepEqual(rig.offences, ['more than a greeting on the channel of handles'])
  assert.equal(heard, 0)
  assert.equal(rig.child.connected, false)
})

test('a child learns that its parent has gone', async () => {
  await using rig = await start('take')
  rig.child.disconnect()
  await once(rig.child, 'exit')
  assert.equal(rig.child.exitCode, 0)
  assert.match(rig.said(), /closed/)
})

test('another Node than we know is told of at once', () => {
  const strange = Object.assign(Object.create(null), { [Symbol('kChannelHandle')]: { readStop: () => 0 } })
  for (const child of [Object.create(null), strange])
    assert.throws(() => handleSender(child as ChildProcess, () => undefined), /another channel to children/)
})
