/** Programs whose engine fails while they run: they go on, or end with an exit status and a record that says why. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { until } from '../rigs/daemon.ts'
import type { Rule } from '../rigs/engine-proxy.ts'
import { error500, faulty } from './faulty.ts'
import { exec, pty, run, size, talk } from './rig.ts'

describe('programs in front of a failing engine', { concurrency: 3 }, () => {
  test('a program goes on without a resize that the engine refuses', async () => {
    await faulty([{ match: /\/resize/, answer: error500 }], { timeouts: { window: 500 } }, async (rig, session) => {
      const channel = await talk(session(), { keepOpen: true })
      await channel.start(pty(80, 24))
      await channel.start(exec('echo ready; cat; exit 2'))
      await until('ready', () => channel.stdout.text.includes('ready'))
      const verdict = await channel.ask({ kind: 'window-change', size: size(1, 1) })
      assert.equal(!verdict.accepted && verdict.fault.code, 'DOCKER_EXEC_RESIZE_FAILED')
      channel.stdin.write('\x04')
      assert.deepEqual(await channel.exit, { kind: 'status', code: 2 })
      await rig.logged('DOCKER_EXEC_RESIZE_FAILED')
    })
  })

  test('a first size that has to be set twice does not undo a later one', async () => {
    await faulty([{ match: /\/resize/, answer: error500, times: 1 }], {}, async (_rig, session) => {
      const channel = await talk(session(), { keepOpen: true })
      await channel.start(pty(80, 24))
      await channel.start(exec('while :; do stty size; sleep 0.1; done'))
      const verdict = await channel.ask({ kind: 'window-change', size: size(91, 17) })
      assert.equal(verdict.accepted, true)
      await until('the later size to hold', () => /(17 91\r\n){8}$/.test(channel.stdout.text))
    })
  })

  test('a damaged frame header ends the output, is told, and ends the program', async () => {
    let ticking = false
    const garble = (chunk: Buffer): Buffer => {
      // The process id has come by then. Each from then on: a chunk need not begin with a header.
      if (ticking) chunk[0] = 77
      ticking ||= chunk.includes('tick')
      return chunk
    }
    await faulty([{ match: /^POST \/exec\/\w+\/start/, times: 1, garble }], {}, async (rig, session) => {
      const channel = await talk(session(), { keepOpen: true })
      await channel.start(exec('while :; do echo tick; sleep 0.1; done'))
      const line = await rig.logged('DOCKER_STREAM_OUTPUT_FAILED')
      assert.equal(line.level, 'error')
      assert.match(String(line.labels['reason']), /damaged frame header: 4d/)
      const exit = await channel.exit
      assert.equal(exit.kind === 'signal' && exit.name, 'TERM')
    })
  })

  test('a program that cannot be ended, because its process id was damaged with its stream, is not waited for', async () => {
    let answer = ''
    const garble = (chunk: Buffer): Buffer => {
      // The engine's answer may come in pieces. What follows it in its last one is dropped: the process id may be in it.
      if (!answer.includes('\r\n\r\n')) {
        const before = answer.length
        answer += chunk.toString('latin1')
        const end = answer.indexOf('\r\n\r\n')
        return end === -1 ? chunk : chunk.subarray(0, end + 4 - before)
      }
      return Buffer.from([1, 0, 0, 0, 0, 0, 0, 4, 0xfe, 0xff, 0xff, 0x7f, 77, 77, 77, 77, 77, 77, 77, 77])
    }
    await faulty([{ match: /^POST \/exec\/\w+\/start/, times: 1, garble }], {}, async (rig, session) => {
      const channel = await talk(session(), { keepOpen: true })
      await channel.start(exec('while :; do echo tick; sleep 0.1; done'))
      assert.deepEqual(await channel.exit, { kind: 'status', code: 137 })
      await rig.logged('DOCKER_EXIT_CODE_FAILED', ({ level }) => level === 'error')
    })
  })

  test('a stream that breaks under a flood of input is told, and so is an input that cannot be closed', async () => {
    let reset = (): void => undefined
    const rule: Rule = {
      match: /^POST \/exec\/\w+\/start/,
      times: 1,
      opened(stream) {
        reset = stream.reset
      },
    }
    await faulty([rule], {}, async (rig, session) => {
      const channel = await talk(session(), { keepOpen: true, keepOutput: false })
      await channel.start(exec('sleep 100'))
      for (let i = 0; i < 256; i += 1) channel.stdin.write(Buffer.alloc(32 * 1024))
      await new Promise((resolve) => setTimeout(resolve, 200))
      reset()
      await rig.logged('DOCKER_STREAM_INPUT_FAILED')
      channel.stdin.end()
      await rig.logged('DOCKER_CLOSE_INPUT_FAILED')
    })
  })

  for (const [what, times] of [
    ['for a moment', 6],
    ['for ever', 1000],
  ] as const) {
    test(`exit codes that the engine does not tell ${what}`, async () => {
      const rules: Rule[] = [
        { match: /^GET \/events/, answer: error500 },
        { match: /^GET \/exec\/\w+\/json/, times, answer: times === 6 ? error500 : { status: 404, message: 'who?' } },
      ]
      await faulty(rules, {}, async (rig, session) => {
        const { exit } = await run(session(), 'exit 7')
        assert.deepEqual(exit, { kind: 'status', code: times === 6 ? 7 : 137 })
        const last = rig.records.filter(({ code }) => code === 'DOCKER_EXIT_CODE_FAILED').at(-1)
        assert.equal(last?.level, times === 6 ? 'debug' : 'error')
        await rig.logged('DOCKER_EVENTS_FAILED')
      })
    })
  }

  test('without events the engine is asked for as long as the program runs', async () => {
    await faulty([{ match: /^GET \/events/, answer: error500 }], {}, async (rig, session) => {
      const { exit } = await run(session(), 'exec >&- 2>&-; sleep 0.5; exit 5')
      assert.deepEqual(exit, { kind: 'status', code: 5 })
      await rig.logged('DOCKER_EXIT_CODE_STILL_RUNNING')
    })
  })

  test('a negative exit code is not believed', async () => {
    const rules: Rule[] = [
      { match: /^GET \/events/, answer: error500 },
      {
        match: /^GET \/exec\/\w+\/json/,
        times: 1,
        rewrite: (body) =>
          body.replace(/"ExitCode":(\d+|null)/, '"ExitCode":-1').replace('"Running":true', '"Running":false'),
      },
    ]
    await faulty(rules, {}, async (rig, session) => {
      assert.deepEqual((await run(session(), 'exit 6')).exit, { kind: 'status', code: 6 })
      await rig.logged('DOCKER_EXIT_CODE_NEGATIVE')
    })
  })

  test('session mode: an end that the wait does not tell is asked for, and a restarting container is waited for', async () => {
    const rules: Rule[] = [
      { match: /^POST \/containers\/\w+\/wait/, answer: error500 },
      {
        match: /^GET \/containers\/\w+\/json/,
        times: 1,
        rewrite: (body) => body.replace('"Restarting":false', '"Restarting":true'),
      },
    ]
    await faulty(rules, { mode: 'session' }, async (rig, session) => {
      assert.deepEqual((await run(session(), 'exit 4')).exit, { kind: 'status', code: 4 })
      await rig.logged('DOCKER_EXIT_CODE_CONTAINER_RESTARTING')
    })
  })

  test('session mode: signals that the engine refuses, and a stop that it refuses', async () => {
    const rules: Rule[] = [
      { match: /\/kill\?/, answer: { status: 404, message: 'gone' } },
      { match: /\/stop\?/, answer: error500 },
    ]
    // Nor by a shell.
    const options = { mode: 'session' as const, execution: { agentMode: 'none' }, timeouts: { containerStop: 700 } }
    await faulty(rules, options, async (rig, session) => {
      const channel = await talk(session(), { keepOpen: true })
      await channel.start(exec('cat'))
      const verdict = await channel.ask({ kind: 'signal', name: 'TERM' })
      assert.equal(!verdict.accepted && verdict.fault.code, 'DOCKER_CONTAINER_SIGNAL_FAILED')
      await channel.channel[Symbol.asyncDispose]()
      await rig.logged('DOCKER_CONTAINER_STOP')
      await rig.logged('DOCKER_CONTAINER_STOP_FAILED', ({ level }) => level === 'error')
    })
  })

  test('a signal whose helper cannot run is refused', async () => {
    await faulty([], {}, async (rig, session, proxy) => {
      const channel = await talk(session(), { keepOpen: true })
      await channel.start(exec('echo ready; cat'))
      await until('ready', () => channel.stdout.text.includes('ready'))
      proxy.rules = [{ match: /^POST \/containers\/\w+\/exec/, answer: { status: 409, message: 'not now' } }]
      const verdict = await channel.ask({ kind: 'signal', name: 'TERM' })
      assert.equal(!verdict.accepted && verdict.fault.code, 'DOCKER_EXEC_SIGNAL_FAILED')
      await rig.logged('DOCKER_EXEC_SIGNAL')
    })
  })
})
