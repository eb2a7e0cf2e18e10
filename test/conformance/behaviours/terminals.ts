/** Terminals: type, size, keys. */
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { until } from '../../rigs/daemon.ts'
import { pty, size, talk } from '../rig.ts'
import { type Behaviour, status } from './behaviour.ts'

export const terminals: readonly Behaviour[] = [
  {
    name: 'a terminal has the size and type asked for, and another size after a resize',
    async run({ session, row }) {
      // Where nobody can set it, it is what the kubelet gives a terminal.
      const term = row.can.has('environment') ? 'vt220' : 'xterm'
      const channel = await talk(session, { keepOpen: true })
      await channel.start(pty(101, 33, 'vt220'))
      await channel.start({ kind: 'shell' })
      const shows = (rows: number, columns: number): Promise<boolean> =>
        until(`${rows} ${columns}; saw ${channel.stdout.text}`, async () => {
          channel.stdin.write('stty size; echo "<$TERM>"\n')
          await until('an answer', () => channel.stdout.text.includes(`<${term}>`))
          return channel.stdout.text.includes(`${rows} ${columns}\r\n`)
        })
      await shows(33, 101)
      await channel.start({ kind: 'window-change', size: size(140, 50) })
      await shows(50, 140)
      channel.stdin.write('exit 4\n')
      assert.deepEqual(await channel.exit, status(4))
      assert.equal(channel.stderr.bytes, 0)
    },
  },
  {
    name: 'a terminal has its size from the first moment',
    needs: 'firstSize',
    async run({ session, script }) {
      const channel = await talk(session, { keepOpen: true })
      await channel.start(pty(77, 22))
      await channel.start(script('stty size'))
      await channel.exit
      assert.equal(channel.stdout.text, '22 77\r\n')
    },
    otherwise: 'or a moment later, where nobody can set it before the program',
    async without({ session, script }) {
      const channel = await talk(session, { keepOpen: true })
      await channel.start(pty(77, 22))
      await channel.start(script('while test "$(stty size 2>/dev/null)" != "22 77"; do sleep 0.1; done; echo set'))
      await channel.exit
      assert.equal(channel.stdout.text, 'set\r\n')
    },
  },
  {
    name: 'input that is there before the shell neither hides nor damages its output on a terminal',
    async run({ session }) {
      const channel = await talk(session, { input: 'echo early bird\nexit\n', keepOpen: true })
      await channel.start(pty(80, 24))
      await channel.start({ kind: 'shell' })
      await channel.exit
      // bash writes a carriage return of its own before it.
      assert.match(channel.stdout.text, /[\n\r]early bird\r\n/)
    },
  },
  {
    name: 'output on a terminal comes whole when the client has ended the input before',
    async run({ session, script }) {
      const channel = await talk(session)
      await channel.start(pty(80, 24))
      await channel.start(script('sleep 0.5; echo late; exit 3'))
      assert.deepEqual(await channel.exit, status(3))
      assert.equal(channel.stdout.text, 'late\r\n')
    },
  },
  {
    name: 'Ctrl-C on a terminal ends the program',
    async run({ session, script }) {
      const channel = await talk(session, { keepOpen: true })
      await channel.start(pty(80, 24))
      await channel.start(script('echo ready; sleep 100; echo not reached'))
      await until('ready', () => channel.stdout.text.includes('ready'))
      await sleep(100) // as in signals.ts
      channel.stdin.write('\x03')
      assert.deepEqual(await channel.exit, status(130))
      assert.doesNotMatch(channel.stdout.text, /not reached/)
    },
  },
  {
    name: 'Ctrl-D on a terminal ends the input, and standard error is part of the output',
    async run({ session, script }) {
      const channel = await talk(session, { keepOpen: true })
      await channel.start(pty(80, 24))
      await channel.start(script('echo ready >&2; cat; exit 2'))
      await until('ready', () => channel.stdout.text.includes('ready'))
      channel.stdin.write('\x04')
      assert.deepEqual(await channel.exit, status(2))
      assert.equal(channel.stderr.bytes, 0)
    },
  },
  {
    name: 'a window that changes without a terminal is no mistake, and has no effect',
    async run({ session, script }) {
      const channel = await talk(session, { keepOpen: true })
      await channel.start(script('cat'))
      await channel.start({ kind: 'window-change', size: size(10, 10) })
      channel.stdin.end()
      assert.deepEqual(await channel.exit, status(0))
    },
  },
]
