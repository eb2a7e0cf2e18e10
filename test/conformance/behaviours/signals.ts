/** Signals (RFC 4254 section 6.9) and exit-signal (6.10). */
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { until } from '../../rigs/daemon.ts'
import { talk } from '../rig.ts'
import { type Behaviour, type Place, status } from './behaviour.ts'

const otherwise = 'is refused where nobody can deliver it'
/** The program goes on. */
async function without({ session, script, rig, code }: Place): Promise<void> {
  const channel = await talk(session, { keepOpen: true })
  await channel.start(script('echo ready; cat; exit 3'))
  await until('ready', () => channel.stdout.text.includes('ready'))
  const verdict = await channel.ask({ kind: 'signal', name: 'TERM' })
  assert.equal(!verdict.accepted && verdict.fault.code, code('EXEC_SIGNAL_FAILED_NO_AGENT'))
  await rig.logged(code('EXEC_SIGNAL_FAILED_NO_AGENT'))
  channel.stdin.end()
  assert.deepEqual(await channel.exit, status(3))
}

const ended = (name: string): Behaviour => ({
  name: `${name} that is not handled gives exit-signal with its name`,
  needs: 'signals',
  async run({ session, script }) {
    const channel = await talk(session, { keepOpen: true })
    await channel.start(script('echo ready; sleep 100'))
    await until('ready', () => channel.stdout.text.includes('ready'))
    // A child that dash has just forked still has its handler, and would take INT without a trace.
    await sleep(100)
    await channel.start({ kind: 'signal', name })
    const exit = await channel.exit
    assert.equal(exit.kind === 'signal' && exit.name, name)
  },
  otherwise,
  without,
})

export const signals: readonly Behaviour[] = [
  {
    name: 'a signal reaches the program and may be handled',
    needs: 'signals',
    async run({ session, script }) {
      const channel = await talk(session, { keepOpen: true })
      await channel.start(script('trap "echo got it; exit 5" USR1; echo ready; while :; do sleep 0.05; done'))
      await until('ready', () => channel.stdout.text.includes('ready'))
      await channel.start({ kind: 'signal', name: 'USR1' })
      assert.deepEqual(await channel.exit, status(5))
      assert.equal(channel.stdout.text, 'ready\ngot it\n')
    },
    otherwise,
    without,
  },
  ended('INT'),
  ended('KILL'),
  {
    name: 'a signal without a name in SSH, and one after the end, are refused',
    async run({ session, script, code }) {
      const channel = await talk(session, { keepOpen: true })
      await channel.start(script('echo ready; cat'))
      await until('ready', () => channel.stdout.text.includes('ready'))
      const unknown = await channel.ask({ kind: 'signal', name: 'NOSUCH' })
      assert.match(unknown.accepted ? '' : unknown.fault.code, new RegExp(code('.*SIGNAL_FAILED')))
      channel.stdin.end()
      await channel.exit
      const late = await channel.ask({ kind: 'signal', name: 'TERM' })
      assert.equal(!late.accepted && late.fault.code, code('SIGNAL_FAILED_NO_PID'))
    },
  },
]
