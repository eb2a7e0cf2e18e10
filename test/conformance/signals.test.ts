/** All signals of RFC 4254 section 6.10, by each of those who can deliver them, and to whole pipelines. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { helper } from '../guest/program.ts'
import { until } from '../rigs/daemon.ts'
import { exec, type Mode, room, run, talk } from './rig.ts'

/** KILL is no signal that a program can answer to. */
const answered = ['HUP', 'INT', 'QUIT', 'ILL', 'ABRT', 'FPE', 'USR1', 'SEGV', 'USR2', 'PIPE', 'ALRM', 'TERM'] as const
/** tini, the engine's init, takes the others as failures of its own. */
const handedOn = answered.filter((name) => !['ILL', 'ABRT', 'FPE', 'SEGV'].includes(name))
const idleCommand = ['/usr/bin/containerssh-agent', 'wait-signal', '--signal', 'INT', '--signal', 'TERM']

for (const [mode, agentMode, image, shell] of [
  ['connection', 'shell', 'containerssh-test/busybox:1', '/bin/sh'],
  ['connection', 'image', 'containerssh-test/agent:1', '/bin/sh'],
  ['connection', 'inject', 'containerssh-test/noshell:1', '/busybox sh'],
  ['session', 'inject', 'containerssh-test/noshell:1', '/busybox sh'],
] as const satisfies readonly (readonly [Mode, ...unknown[]])[]) {
  // The shell of the image reads a command anyway; a second one between would get the signals, too.
  const script = (text: string): string => (shell === '/bin/sh' ? text : `${shell} -c '${text}'`)
  const sleep = shell === '/bin/sh' ? 'sleep' : '/busybox sleep'
  const guest = { mode, image, execution: { agentMode, idleCommand } }

  test(`each signal arrives: ${mode} mode, ${agentMode}`, async () => {
    await helper()
    await using rig = await room(guest)
    const session = rig.enter()
    const channel = await talk(session, { keepOpen: true })
    // A child would get the signals as well, and a shell ends with one that INT killed.
    const traps = answered.map((name) => `trap "echo got ${name}" ${name}`).join('; ')
    await channel.start(exec(script(`${traps}; echo ready; while :; do read -r _; done`)))
    await until('ready', () => channel.stdout.text.includes('ready'))
    for (const name of mode === 'session' ? handedOn : answered) {
      await channel.start({ kind: 'signal', name })
      await until(`${name}; got ${channel.stdout.text}`, () => channel.stdout.text.includes(`got ${name}\n`))
    }
    await channel.start({ kind: 'signal', name: 'KILL' })
    const exit = await channel.exit
    assert.equal(exit.kind === 'signal' && exit.name, 'KILL')
    await session[Symbol.asyncDispose]()
  })

  test(`a signal ends a whole pipeline: ${mode} mode, ${agentMode}`, async () => {
    await helper()
    await using rig = await room(guest)
    const session = rig.enter()
    const channel = await talk(session, { keepOpen: true })
    await channel.start(exec(script(`echo ready; ${sleep} 1234 | ${sleep} 1234`)))
    await until('ready', () => channel.stdout.text.includes('ready'))
    await channel.start({ kind: 'signal', name: 'TERM' })
    const exit = await channel.exit
    assert.equal(exit.kind === 'signal' && exit.name, 'TERM')
    // In session mode the container is gone with it.
    const ps = mode === 'session' ? '' : (await run(session, script('ps || /busybox ps'))).stdout
    assert.doesNotMatch(ps, /sleep 1234/)
    await session[Symbol.asyncDispose]()
    assert.deepEqual(await rig.containers(), [])
  })
}
