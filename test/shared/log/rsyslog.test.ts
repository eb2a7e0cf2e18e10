import assert from 'node:assert/strict'
import { hostname } from 'node:os'
import { after, before, describe, it } from 'node:test'
import { defaults } from '../../../src/shared/config/schema.ts'
import { openOutput } from '../../../src/shared/log/output.ts'
import type { LogRecord } from '../../../src/shared/log.ts'
import { until } from '../../rigs/daemon.ts'
import { type Received, type Rsyslog, startRsyslog } from '../../rigs/rsyslog.ts'

const { log } = defaults()
const open = (destination: string, protocol: 'rfc3164' | 'rfc5424') =>
  openOutput({
    ...log,
    level: 'debug',
    destination: 'syslog',
    syslog: { ...log.syslog, destination, protocol, facility: 'local3', pid: true, enterpriseId: 32473 },
  })

const record = (message: string): LogRecord => ({
  level: 'warning',
  code: 'SSH_AUTH_FAILED',
  message,
  labels: { username: 'a"b]', exitCode: 1 },
  time: Date.now(),
})

describe('rsyslogd', { timeout: 120_000 }, () => {
  let rsyslog: Rsyslog
  before(async () => {
    rsyslog = await startRsyslog()
  })
  after(() => rsyslog[Symbol.asyncDispose]())

  const messageOf = (received: Received): string => {
    // The byte order mark of RFC 5424 is part of the message for rsyslog.
    const { message } = JSON.parse(received.msg.replace(/^[ \ufeff]/, ''))
    return message
  }
  const arrived = async (test: string, count: number): Promise<Received[]> => {
    const mine = (): Received[] => rsyslog.received().filter((received) => received.msg.includes(test))
    await until(`${count} messages ${test}`, () => mine().length >= count, 30_000)
    return mine()
  }

  for (const [transport, input] of [
    ['datagram', 'imuxsock'],
    ['stream', 'imptcp'],
    ['udp', 'imudp'],
    ['tcp', 'imtcp'],
  ] as const) {
    it(`understands BSD style messages: ${transport}`, async () => {
      const test = `bsd ${transport}`
      const output = await open(rsyslog[transport], 'rfc3164')
      output.write(record(`${test} é\n<&>`))
      output.write(record(`${test} ${'x'.repeat(20_000)}`))
      await output.drain()
      output.close()
      const [first, second] = await arrived(test, 2)
      assert.ok(first !== undefined && second !== undefined)
      assert.equal(messageOf(first), `${test} é\n<&>`)
      assert.equal(messageOf(second).length, test.length + 1 + 20_000)
      assert.deepEqual(
        { pri: first.pri, program: first.program, procid: first.procid, input: first.input },
        { pri: String(19 * 8 + 4), program: 'ContainerSSH', procid: String(process.pid), input },
      )
    })
  }

  for (const transport of ['stream', 'udp', 'tcp'] as const) {
    it(`understands messages of RFC 5424: ${transport}`, async () => {
      const test = `modern ${transport}`
      const output = await open(rsyslog[transport], 'rfc5424')
      output.write(record(`${test} é\n<&>`))
      output.write(record(`${test} second`))
      await output.drain()
      output.close()
      const [first, second] = await arrived(test, 2)
      assert.ok(first !== undefined && second !== undefined)
      assert.deepEqual([messageOf(first), messageOf(second)], [`${test} é\n<&>`, `${test} second`])
      const { pri, version, program, procid, msgid, sd } = first
      assert.equal(first.hostname, hostname())
      assert.deepEqual(
        { pri, version, program, procid, msgid, sd },
        {
          pri: String(19 * 8 + 4),
          version: '1',
          program: 'ContainerSSH',
          procid: String(process.pid),
          msgid: 'SSH_AUTH_FAILED',
          sd: '[containerssh@32473 exitCode="1" username="a\\"b\\]"]',
        },
      )
    })
  }

  for (const transport of ['datagram', 'stream', 'tcp'] as const) {
    it(`that was away gets what was logged meanwhile, in order, when it is back: ${transport}`, async () => {
      const test = `away ${transport}`
      const output = await open(rsyslog[transport], 'rfc3164')
      output.write(record(`${test} 0`))
      await arrived(test, 1)
      await rsyslog.stop()
      // Until we notice that it has gone, a connection takes what it will never deliver: see docs/logging.md.
      await until('the loss to be noticed', () => {
        output.write(record('nobody reads this'))
        return output.queuedBytes > 0
      })
      for (let n = 1; n <= 50; n++) output.write(record(`${test} ${n}`))
      await rsyslog.start()
      const messages = (await arrived(test, 51)).map(messageOf)
      assert.deepEqual(
        messages,
        Array.from({ length: 51 }, (_, n) => `${test} ${n}`),
      )
      assert.equal(output.dropped, 0)
      output.close()
    })
  }

  it('that is away over UDP stops nothing; what is known to be lost is counted, and told when it is back', async () => {
    const output = await open(rsyslog.udp, 'rfc3164')
    await rsyslog.stop()
    await until('a loss', () => {
      output.write(record('nobody reads this'))
      return output.dropped > 0
    })
    await rsyslog.start()
    await until('the log to tell of it', () => {
      output.write(record('udp again'))
      return rsyslog.received().some(({ msg }) => msg.includes('LOG_RECORDS_DROPPED'))
    })
    output.close()
  })
})
