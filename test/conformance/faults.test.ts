/** The room in front of an engine that fails: each failure has a code, an end, and leaves no container. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Fault } from '../../src/shared/codes/fault.ts'
import type { Session } from '../../src/workers/ports.ts'
import { until } from '../rigs/daemon.ts'
import type { Rule } from '../rigs/engine-proxy.ts'
import { error500, faulty } from './faulty.ts'
import { exec, run, talk } from './rig.ts'

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
})
