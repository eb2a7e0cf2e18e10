/** The room in front of an engine that fails: each failure has a code, an end, and leaves no container. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Fault } from '../../src/shared/codes/fault.ts'
import type { Session } from '../../src/workers/ports.ts'
import { until } from '../rigs/daemon.ts'
import { type EngineProxy, engineProxy, type Rule } from '../rigs/engine-proxy.ts'
import { exec, pty, type Rig, type RoomOptions, room, run, size, talk } from './rig.ts'

/** Generous, because machines that run tests are busy; a test that waits for the end of one shortens that one. */
const patient = { containerStart: 30_000, commandStart: 30_000, signal: 30_000, window: 30_000, containerStop: 30_000 }
const error500 = { status: 500, message: 'the engine is in flames' }

/** Runs `task` in a room behind a proxy; afterwards nothing may be left. */
async function faulty(
  rules: Rule[],
  options: RoomOptions,
  task: (rig: Rig, session: () => Session, proxy: EngineProxy) => Promise<void>,
): Promise<void> {
  await using proxy = await engineProxy(rules)
  const rig = await room({ host: proxy.host, ...options, timeouts: { ...patient, ...options.timeouts } })
  let session: Session | undefined
  try {
    const enter = (): Session => {
      session ??= rig.enter()
      return session
    }
    await task(rig, enter, proxy)
  } finally {
    proxy.rules = proxy.rules.filter(({ match }) => match.source.includes('DELETE'))
    await session?.[Symbol.asyncDispose]()
    await rig[Symbol.asyncDispose]()
  }
  assert.deepEqual(await rig.containers(), [])
}

async function refused(session: Session, request = exec('true')): Promise<Fault> {
  const channel = await talk(session)
  const verdict = await channel.ask(request)
  if (verdict.accepted) throw new Error('it was accepted')
  return verdict.fault
}

describe('the docker room in front of a failing engine', { concurrency: 3 }, () => {
  for (const { code, limit, match, mode } of [
    {
      code: 'DOCKER_IMAGE_LISTING_FAILED',
      limit: 'containerStart',
      match: /^GET \/images\/.*\/json/,
      mode: 'connection',
    },
    {
      code: 'DOCKER_CONTAINER_CREATE_FAILED',
      limit: 'containerStart',
      match: /^POST \/containers\/create/,
      mode: 'connection',
    },
    {
      code: 'DOCKER_CONTAINER_START_FAILED',
      limit: 'containerStart',
      match: /^POST \/containers\/\w+\/start/,
      mode: 'connection',
    },
    {
      code: 'DOCKER_EXEC_CREATE_FAILED',
      limit: 'commandStart',
      match: /^POST \/containers\/\w+\/exec/,
      mode: 'connection',
    },
    { code: 'DOCKER_EXEC_ATTACH_FAILED', limit: 'commandStart', match: /^POST \/exec\/\w+\/start/, mode: 'connection' },
    {
      code: 'DOCKER_CONTAINER_ATTACH_FAILED',
      limit: 'commandStart',
      match: /^POST \/containers\/\w+\/attach/,
      mode: 'session',
    },
  ] as const) {
    test(`${code}: tried again, then given up with one record at error`, async () => {
      // The tries begin at 0, 0.2, 0.6, 1.4, 3.0 and 6.2 s, or up to a quarter sooner: this limit falls between two.
      await faulty([{ match, answer: error500 }], { mode, timeouts: { [limit]: 3900 } }, async (rig, session) => {
        const fault = await refused(session())
        assert.equal(fault.code, code)
        const lines = rig.records.filter((line) => line.code === code)
        assert.ok(lines.length > 1)
        const last = lines.at(-1)
        assert.equal(last?.level, 'error')
        assert.match(String(last?.labels['reason']), /gave up after \d+ attempts: the engine is in flames/)
        assert.equal(last?.labels['statusCode'], 500)
        assert.equal(lines.filter(({ level }) => level === 'error').length, 1)
      })
    })
    test(`${code}: an error that passes is only a record`, async () => {
      await faulty([{ match, answer: error500, times: 1 }], { mode }, async (rig, session) => {
        assert.deepEqual((await run(session(), 'exit 3')).exit, { kind: 'status', code: 3 })
        assert.equal(rig.records.filter((line) => line.code === code).length, 1)
      })
    })
  }

  test('an answer that is final is not asked for again', async () => {
    const rule: Rule = { match: /^POST \/containers\/create/, answer: { status: 409, message: 'the name is taken' } }
    await faulty([rule], {}, async (_rig, session, proxy) => {
      const fault = await refused(session())
      assert.equal(fault.code, 'DOCKER_CONTAINER_CREATE_FAILED')
      assert.equal(fault.labels['reason'], 'the name is taken')
      assert.equal(proxy.seen.filter((line) => rule.match.test(line)).length, 1)
    })
  })

  test('a container whose creation was not answered is found and removed', async () => {
    await faulty(
      [{ match: /^POST \/containers\/create/, cut: 'after' }],
      { timeouts: { containerStart: 1500 } },
      async (rig, session) => {
        assert.equal((await refused(session())).code, 'DOCKER_CONTAINER_CREATE_FAILED')
        await until('the sweep', async () => (await rig.containers()).length === 0)
      },
    )
  })

  test('a pull that fails in its stream, with status 200, fails the login and says why', async () => {
    const rules: Rule[] = [
      { match: /^GET \/images\/.*\/json/, answer: { status: 404, message: 'no such image' } },
      {
        match: /^POST \/images\/create/,
        rewrite: () => '{"status":"Pulling"}\n{"errorDetail":{"message":"pull access denied for x"},"error":"x"}\n',
      },
    ]
    await faulty(rules, {}, async (rig, session) => {
      assert.equal((await refused(session())).code, 'DOCKER_IMAGE_PULL_FAILED')
      assert.match(String((await rig.logged('DOCKER_IMAGE_PULL_FAILED')).labels['reason']), /pull access denied/)
    })
  })

  test('simultaneous logins share one check of the image', async () => {
    await faulty([{ match: /^GET \/images/, delayMs: 300 }], {}, async (rig, session, proxy) => {
      const others = [rig.enter(), rig.enter()]
      await Promise.all([session(), ...others].map((each) => run(each, 'true')))
      await Promise.all(others.map((each) => each[Symbol.asyncDispose]()))
      assert.equal(proxy.seen.filter((line) => line.startsWith('GET /images')).length, 1)
    })
  })

  test('a program that is not wanted any more is refused while the container is shut down', async () => {
    await faulty([{ match: /^POST \/containers\/\w+\/exec/, delayMs: 400 }], {}, async (rig, session) => {
      await until('the container', async () => {
        session()
        return (await rig.containers()).length === 1
      })
      const asked = refused(session())
      await new Promise((resolve) => setTimeout(resolve, 600))
      const late = refused(session())
      await session()[Symbol.asyncDispose]()
      assert.equal((await late).code, 'DOCKER_CONTAINER_SHUTTING_DOWN')
      await asked.catch(() => undefined)
    })
  })

  test('a removal that fails is tried again until the container is gone', async () => {
    await faulty([{ match: /^DELETE \/containers/, answer: error500, times: 2 }], {}, async (rig, session) => {
      await run(session(), 'true')
      await session()[Symbol.asyncDispose]()
      const codes = rig.codes()
      assert.equal(codes.filter((code) => code === 'DOCKER_CONTAINER_REMOVE_FAILED').length, 2)
      assert.equal(codes.at(-1), 'DOCKER_CONTAINER_REMOVE_SUCCESSFUL')
    })
  })

  test('what could not be removed in time is left to the reaper, which tries until it can', async () => {
    const rule: Rule = { match: /^DELETE \/containers/, answer: error500 }
    await faulty([rule], { timeouts: { containerStop: 300 } }, async (rig, session, proxy) => {
      await run(session(), 'true')
      await session()[Symbol.asyncDispose]()
      await rig.logged('DOCKER_CONTAINER_REMOVE_FAILED', ({ level }) => level === 'error')
      const [id] = await rig.containers()
      for (let round = 0; round < 2; round++) await rig.backend.reap(AbortSignal.timeout(5000))
      await rig.logged('DOCKER_REAP_FAILED', ({ labels }) => labels['containerId'] === id)
      assert.deepEqual(await rig.containers(), [id])
      proxy.rules = []
      await rig.backend.reap(AbortSignal.timeout(5000))
      await rig.logged('DOCKER_REAPED', ({ labels }) => labels['containerId'] === id)
      assert.deepEqual(await rig.containers(), [])
    })
  })

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
    const garble = (chunk: Buffer): Buffer => {
      // What follows the engine's answer in the same chunk is dropped: the process id may be in it.
      if (chunk.includes('HTTP/1.1 101')) return chunk.subarray(0, chunk.indexOf('\r\n\r\n') + 4)
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
