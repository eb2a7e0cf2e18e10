/** Channels and connections: apart from each other, and gone without a trace. */
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { until } from '../../rigs/daemon.ts'
import { exec, pty, size, talk } from '../rig.ts'
import { type Behaviour, status } from './behaviour.ts'

const leaves = (afterMs: number): Behaviour => ({
  name: `a client that leaves ${afterMs} ms after its login leaves nothing`,
  async run({ another, script, row }) {
    const rig = await another()
    const leaving = new AbortController()
    const session = rig.enter(leaving.signal)
    const channel = await talk(session, { keepOpen: true })
    const asked = channel.ask(script('sleep 100'))
    await sleep(afterMs)
    leaving.abort()
    await channel.channel[Symbol.asyncDispose]()
    await session[Symbol.asyncDispose]()
    await asked
    await rig[Symbol.asyncDispose]()
    // One that stays may not have been made yet.
    const left = await rig.containers()
    assert.ok(left.length <= (row.can.has('removal') ? 0 : 1), `${left}`)
  },
})

/** Says its process ID and its container, and does not end by itself or politely. */
const stubborn = 'trap "" TERM HUP INT; echo $$ $(hostname); while :; do sleep 0.05; done'

export const channels: readonly Behaviour[] = [
  {
    name: 'one channel has one program',
    async run({ session, script, code }) {
      const channel = await talk(session, { keepOpen: true })
      const early = await channel.ask({ kind: 'window-change', size: size(1, 1) })
      assert.equal(!early.accepted && early.fault.code, code('PROGRAM_NOT_RUNNING'))
      await channel.start(script('cat'))
      for (const request of [exec('true'), { kind: 'env', name: 'A', value: 'b' } as const, pty(80, 24)]) {
        const verdict = await channel.ask(request)
        assert.equal(!verdict.accepted && verdict.fault.code, code('PROGRAM_ALREADY_RUNNING'))
      }
      channel.stdin.end()
      assert.deepEqual(await channel.exit, status(0))
    },
  },
  {
    name: 'eight channels work at the same time',
    async run({ run }) {
      const results = await Promise.all(
        Array.from({ length: 8 }, (_, i) => run(`echo ${i}; cat; exit ${i}`, `in ${i}`)),
      )
      assert.deepEqual(
        results.map(({ exit, stdout }) => [exit, stdout]),
        results.map((_, i) => [status(i), `${i}\nin ${i}`]),
      )
    },
  },
  {
    name: 'closing a channel ends its program, even one that does not want to, and nothing else',
    needs: 'ending',
    async run({ session, script, run, row, rig }) {
      const other = await talk(session, { keepOpen: true })
      await other.start(script('echo ready; cat'))
      const channel = await talk(session, { keepOpen: true })
      await channel.start(script(stubborn))
      const told = await until('its process ID', () => /^(\d+) ([\w-]+)\n/.exec(channel.stdout.text))
      const [, pid = '', container = ''] = told
      await channel.channel[Symbol.asyncDispose]()
      if (row.mode !== 'session') {
        await until('its end', async () => (await run(`kill -0 ${pid} 2>/dev/null; echo $?`)).stdout === '1\n')
      } else {
        await until('its end', async () => !(await rig.containers()).some((id) => id.startsWith(container)))
      }
      other.stdin.write('still here')
      other.stdin.end()
      assert.deepEqual(await other.exit, status(0))
      assert.match(other.stdout.text, /still here/)
    },
    otherwise: 'leaves it to the end of the connection where nobody can end it',
    async without({ another, script }) {
      const rig = await another()
      const session = rig.enter()
      const channel = await talk(session, { keepOpen: true })
      await channel.start(script(stubborn))
      await until('its process ID', () => channel.stdout.text.includes('\n'))
      await channel.channel[Symbol.asyncDispose]()
      assert.equal((await rig.containers()).length, 1)
      await session[Symbol.asyncDispose]()
      assert.deepEqual(await rig.containers(), [])
      await rig[Symbol.asyncDispose]()
    },
  },
  {
    name: 'the end of a connection removes its containers although a program runs',
    needs: 'removal',
    async run({ another, script, code }) {
      const rig = await another()
      const session = rig.enter()
      const channel = await talk(session, { keepOpen: true })
      await channel.start(script(stubborn))
      assert.equal((await rig.containers()).length, 1)
      await session[Symbol.asyncDispose]()
      assert.deepEqual(await rig.containers(), [])
      assert.ok(rig.codes().includes(code('CONTAINER_REMOVE_SUCCESSFUL')))
      await rig[Symbol.asyncDispose]()
    },
    otherwise: 'or only its programs, from a container that stays',
    async without({ session, rig, script, run }) {
      const before = await rig.containers()
      const channel = await talk(session, { keepOpen: true })
      await channel.start(script(stubborn))
      const told = await until('its process ID', () => /^(\d+) /.exec(channel.stdout.text))
      await channel.channel[Symbol.asyncDispose]()
      await until('its end', async () => (await run(`kill -0 ${told[1]} 2>/dev/null; echo $?`)).stdout === '1\n')
      assert.deepEqual(await rig.containers(), before)
    },
  },
  ...[0, 30, 100, 250].map(leaves),
]
