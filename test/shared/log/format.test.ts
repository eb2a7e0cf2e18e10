import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { codes } from '../../../src/shared/codes/index.ts'
import { formatLine } from '../../../src/shared/log/format.ts'
import { levelNames } from '../../../src/shared/log/level.ts'
import { facilities, formatSyslog, syslogTag } from '../../../src/shared/log/syslog-format.ts'
import type { LogRecord } from '../../../src/shared/log.ts'

process.env['TZ'] = 'UTC'

const running: LogRecord = {
  level: 'info',
  code: 'SERVICE_RUNNING',
  message: 'SSH server is running.',
  labels: { service: 'SSH server', module: 'service' },
  time: Date.UTC(2026, 10, 22, 10, 51, 6, 999),
}

describe('the ljson format', () => {
  it('is byte for byte what the Go server writes', () => {
    assert.equal(
      formatLine(running, 'ljson'),
      '{"timestamp":"2026-11-22T10:51:06Z","level":"info","code":"SERVICE_RUNNING","message":"SSH server is running.","details":{"module":"service","service":"SSH server"}}\n',
    )
  })

  it('keeps the types of labels and sorts them by name', () => {
    const labels = {
      url: 'http://127.0.0.1:18080/config',
      statusCode: 200,
      path: '',
      method: 'POST',
      last: true,
      2: 'x',
    }
    const line = formatLine({ ...running, labels }, 'ljson')
    const details =
      '{"2":"x","last":true,"method":"POST","path":"","statusCode":200,"url":"http://127.0.0.1:18080/config"}'
    assert.equal(line.slice(line.indexOf('"details":') + 10), `${details}}\n`)
  })

  it('always has details', () => {
    assert.ok(formatLine({ ...running, labels: {} }, 'ljson').endsWith('"details":{}}\n'))
  })

  it('escapes the characters that mean something in HTML and JavaScript', () => {
    const line = formatLine({ ...running, message: '<a & b>\u2028\u2029"\\\n', labels: { '<': '&' } }, 'ljson')
    assert.ok(line.includes('"message":"\\u003ca \\u0026 b\\u003e\\u2028\\u2029\\"\\\\\\n"'))
    assert.ok(line.includes('"details":{"\\u003c":"\\u0026"}'))
  })

  it('is one line that parses back, whatever the strings hold', () => {
    fc.assert(
      fc.property(anyRecord(), (record) => {
        const line = formatLine(record, 'ljson')
        assert.equal(line.indexOf('\n'), line.length - 1)
        const parsed = JSON.parse(line)
        assert.deepEqual(Object.keys(parsed), ['timestamp', 'level', 'code', 'message', 'details'])
        assert.equal(parsed.message, record.message)
        assert.equal(Date.parse(parsed.timestamp), Math.floor(record.time / 1000) * 1000)
        // Node's deepEqual looks at prototypes, and a label may be called __proto__.
        assert.deepEqual(Object.entries(parsed.details).sort(), Object.entries(record.labels).sort())
      }),
    )
  })
})

describe('the text format', () => {
  it('has three fields separated by tabs, sorted labels and one newline', () => {
    const expected = '2026-11-22T10:51:06Z\tinfo\tSSH server is running. (module=service service=SSH server)\n'
    assert.equal(formatLine(running, 'text'), expected)
  })

  it('has no parentheses without labels', () => {
    assert.equal(formatLine({ ...running, labels: {} }, 'text'), '2026-11-22T10:51:06Z\tinfo\tSSH server is running.\n')
  })

  it('escapes control characters', () => {
    const message = 'a\nb\r\tc\u001b[31m\u0000\u007f\u0085\u2028\u202ed'
    const line = formatLine({ ...running, message, labels: { username: 'x\ny' } }, 'text')
    const escaped = 'a\\nb\\r\\tc\\u001b[31m\\u0000\\u007f\\u0085\\u2028\\u202ed'
    assert.equal(line, `2026-11-22T10:51:06Z\tinfo\t${escaped} (username=x\\ny)\n`)
  })

  it('is one line of three fields without control characters, whatever the strings hold', () => {
    fc.assert(
      fc.property(anyRecord(), (record) => {
        const line = formatLine(record, 'text')
        assert.match(line, /^[^\t\n]+\t[a-z]+\t[^\p{Cc}\p{Cs}\u2028\u2029\u202e]*\n$/u)
      }),
    )
  })
})

describe('the time stamp', () => {
  it('is local time with Z or a numeric offset', () => {
    const stampIn = (zone: string) => {
      const module = JSON.stringify(new URL('../../../src/shared/log/format.ts', import.meta.url).href)
      const script = `const { timestamp } = await import(${module}); console.log(timestamp(1795344666999))`
      const options = { env: { ...process.env, TZ: zone }, encoding: 'utf8' } as const
      return spawnSync(process.execPath, ['--input-type=module', '-e', script], options).stdout
    }
    assert.equal(stampIn('UTC'), '2026-11-22T10:51:06Z\n')
    assert.equal(stampIn('Asia/Kolkata'), '2026-11-22T16:21:06+05:30\n')
    assert.equal(stampIn('America/St_Johns'), '2026-11-22T07:21:06-03:30\n')
  })
})

describe('the syslog format', () => {
  const header = {
    protocol: 'rfc3164',
    facility: 'auth',
    tag: 'ContainerSSH',
    pid: 15974,
    hostname: 'gate.example',
    enterpriseId: 0,
  } as const
  const modern = { ...header, protocol: 'rfc5424' } as const

  it('has priority, real month, tag and the JSON without time and level', () => {
    assert.equal(
      formatSyslog(running, 'ljson', header),
      '<38>Nov 22 10:51:06 ContainerSSH[15974]: {"code":"SERVICE_RUNNING","message":"SSH server is running.","details":{"module":"service","service":"SSH server"}}',
    )
  })

  it('has message and labels with format text', () => {
    const record = { ...running, time: Date.UTC(2026, 1, 3, 1, 2, 3) }
    assert.equal(
      formatSyslog(record, 'text', { ...header, facility: 'local3', tag: 'foo', pid: undefined }),
      '<158>Feb  3 01:02:03 foo: SSH server is running. (module=service service=SSH server)',
    )
  })

  it('of RFC 5424 has version, precise time, host, program, process and code', () => {
    assert.equal(
      formatSyslog({ ...running, time: running.time + 8 }, 'text', modern),
      '<38>1 2026-11-22T10:51:07.007Z gate.example ContainerSSH 15974 SERVICE_RUNNING - SSH server is running. (module=service service=SSH server)',
    )
  })

  it('of RFC 5424 has the labels as structured data of the enterprise, escaped', () => {
    const labels = { username: 'a"b]c\\d\n', port: 1 }
    assert.equal(
      formatSyslog({ ...running, labels, message: 'x' }, 'text', { ...modern, enterpriseId: 32473 }).slice(0, 131),
      '<38>1 2026-11-22T10:51:06.999Z gate.example ContainerSSH 15974 SERVICE_RUNNING [containerssh@32473 port="1" username="a\\"b\\]c\\\\d\\\\n',
    )
  })

  it('of RFC 5424 marks text that is not ASCII, and keeps names to printable ASCII without blanks', () => {
    const odd = { ...modern, hostname: '', tag: 'Container SSH é', pid: undefined }
    assert.equal(
      formatSyslog({ ...running, message: 'é', labels: {} }, 'text', odd),
      '<38>1 2026-11-22T10:51:06.999Z - Container_SSH__ - SERVICE_RUNNING - \ufeffé',
    )
  })

  it('knows all 24 facilities by number', () => {
    assert.equal(facilities.length, 24)
    assert.equal(facilities[10], 'authpriv')
    assert.equal(facilities[15], 'clock')
    assert.equal(facilities[23], 'local7')
  })

  it('falls back to our name for an empty tag', () => {
    assert.equal(syslogTag(''), 'ContainerSSH')
    assert.equal(syslogTag('', 7), 'ContainerSSH[7]')
    assert.equal(syslogTag('foo'), 'foo')
  })
})

function anyRecord(): fc.Arbitrary<LogRecord> {
  const hostile = fc.string({ unit: 'binary' })
  const value = fc.oneof(
    hostile,
    fc.double({ noNaN: true, noDefaultInfinity: true }).filter(notMinusZero),
    fc.boolean(),
  )
  return fc.record({
    level: fc.constantFrom(...levelNames),
    code: fc.constantFrom(...codes),
    message: hostile,
    labels: fc.dictionary(hostile, value, { noNullPrototype: true }),
    time: fc.integer({ min: 0, max: Date.UTC(2200, 0) }),
  })
}

/** JSON has one zero. */
const notMinusZero = (number: number): boolean => !Object.is(number, -0)
