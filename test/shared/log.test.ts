import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { asFault, Fault, fault, reasonOf } from '../../src/shared/codes/fault.ts'
import { createLog, type Labels, type Level, type Log, type LogRecord } from '../../src/shared/log.ts'

function recorder(level: Level = 'debug', labels: Labels = {}): { readonly log: Log; readonly records: LogRecord[] } {
  const records: LogRecord[] = []
  return { log: createLog({ level, labels, write: (record) => records.push(record) }), records }
}

const only = (records: readonly LogRecord[]): LogRecord => {
  assert.equal(records.length, 1)
  return records[0] as LogRecord
}

describe('a log', () => {
  it('writes the sentence of the code with its holes filled, on the level of the code', () => {
    const { log, records } = recorder()
    log.emit('SSH_EXIT', { exitCode: 42 })
    const { time, ...record } = only(records)
    assert.deepEqual(record, {
      level: 'debug',
      code: 'SSH_EXIT',
      message: 'Program ended with exit status 42.',
      labels: { exitCode: 42 },
    })
    assert.ok(Number.isInteger(time))
  })

  it('writes what is at least as severe as its level', () => {
    const { log, records } = recorder('warning')
    log.emit('TEST', {}, { level: 'notice' })
    log.emit('TEST', {}, { level: 'warning' })
    log.emit('TEST', {}, { level: 'emerg' })
    log.emit('TEST', {})
    assert.deepEqual(
      records.map((record) => record.level),
      ['warning', 'emerg'],
    )
    assert.equal(log.level, 'warning')
    assert.equal(log.enabled('notice'), false)
    assert.equal(log.enabled('warning'), true)
  })

  it('does not look at the labels of a record whose level is off', () => {
    const { log, records } = recorder('info')
    const untouchable = new Proxy({ exitCode: 1 }, { get: () => assert.fail(), ownKeys: () => assert.fail() })
    log.emit('SSH_EXIT', untouchable)
    assert.equal(records.length, 0)
  })

  it('adds its labels to each record; they win over those of the record, and a child’s over its parent’s', () => {
    const { log, records } = recorder('debug', { module: 'ssh', connectionId: 'a' })
    log.with({ connectionId: 'b', RequestType: 'mine' }).emit('SSH_CHANNEL_REQUEST', { RequestType: 'env' })
    assert.deepEqual(only(records).labels, { module: 'ssh', connectionId: 'b', RequestType: 'mine' })
  })

  it('does not write its labels into the labels or the fault it was given', () => {
    const { log } = recorder('debug', { module: 'ssh' })
    const labels = { exitCode: 0 }
    const failure = fault('LOG_FILE_OPEN_FAILED', { file: '/x' })
    log.emit('SSH_EXIT', labels)
    log.fault(failure)
    assert.deepEqual(labels, { exitCode: 0 })
    assert.deepEqual(failure.labels, { file: '/x' })
  })

  it('leaves out optional labels that are absent', () => {
    const { log, records } = recorder()
    log.emit('SSH_AUTH_FAILED', { username: 'foo', method: 'password', reason: undefined })
    assert.deepEqual(only(records).labels, { username: 'foo', method: 'password' })
  })

  it('makes strings of label values that JSON cannot hold', () => {
    const { log, records } = recorder()
    const odd = { a: 1n, b: null, c: { d: 1 }, e: Number.NaN, f: Symbol('g'), h: new Error('i'), j: [1, 2] }
    log.with(odd as unknown as Labels).emit('TEST', {})
    const expected = { a: '1', b: 'null', c: '{"d":1}', e: 'NaN', f: 'Symbol(g)', h: 'i', j: '[1,2]' }
    assert.deepEqual(only(records).labels, expected)
  })

  it('survives label values that cannot be made a string', () => {
    const { log, records } = recorder()
    const cycle: Record<string, unknown> = {}
    cycle['cycle'] = cycle
    log.with({ cycle } as unknown as Labels).emit('TEST', {}, { cause: cycle })
    assert.deepEqual(only(records).labels, { cycle: 'unprintable error' })
  })

  it('appends the texts of causes in parentheses and never a stack trace', () => {
    const { log, records } = recorder()
    const cause = new Error('outer', { cause: fault('SSH_DECODE_FAILED', { RequestType: 'env' }, { cause: 'inner' }) })
    log.emit('TEST', {}, { cause })
    assert.equal(only(records).message, 'Test record. (outer (Malformed env request. (inner)))')
    assert.ok(!JSON.stringify(records).includes('log.test.ts'))
  })

  it('tells each address of a host that refused', () => {
    const { log, records } = recorder()
    const cause = new AggregateError([
      new Error('connect ECONNREFUSED ::1:80'),
      new Error('connect ECONNREFUSED 127.0.0.1:80'),
    ])
    log.emit('TEST', {}, { cause })
    assert.equal(only(records).message, 'Test record. (connect ECONNREFUSED ::1:80; connect ECONNREFUSED 127.0.0.1:80)')
  })

  it('bounds causes that are long or go in a circle', () => {
    const { log, records } = recorder()
    const circle = new Error('x'.repeat(1000))
    circle.cause = circle
    log.emit('TEST', {}, { cause: circle })
    assert.ok(only(records).message.length < 3000)
  })

  it('writes a fault on the level of its code unless told otherwise', () => {
    const { log, records } = recorder('debug', { module: 'core' })
    const failure = fault('LOG_FILE_OPEN_FAILED', { file: '/x' }, { cause: new Error('no such folder') })
    log.fault(failure)
    log.fault(failure, 'error')
    const [first, second] = records
    assert.deepEqual(
      [first?.level, first?.code, first?.message, first?.labels],
      [
        'crit',
        'LOG_FILE_OPEN_FAILED',
        'The log file /x cannot be opened. (no such folder)',
        { file: '/x', module: 'core' },
      ],
    )
    assert.equal(second?.level, 'error')
  })
})

describe('a fault', () => {
  it('tells the user nothing of its cause and, unless its code says otherwise, nothing at all', () => {
    assert.equal(fault('LOG_FILE_OPEN_FAILED', { file: '/x' }, { cause: 'secret' }).userText, 'Internal Error')
    const refused = fault('SSH_CONNECTION_REFUSED', { remoteAddr: '::1', reason: 'too many connections' })
    assert.equal(refused.userText, 'too many connections')
  })

  it('is made of anything thrown, with UNKNOWN_ERROR for what has no code', () => {
    const failure = fault('SSH_DECODE_FAILED', { RequestType: 'env' })
    assert.equal(asFault(failure), failure)
    assert.equal(reasonOf(failure), 'SSH_DECODE_FAILED')
    const { log, records } = recorder()
    log.fault(asFault(new TypeError('x is not a function')))
    assert.equal(only(records).code, 'UNKNOWN_ERROR')
    assert.equal(only(records).message, 'Unexpected error. (x is not a function)')
    assert.equal(reasonOf('text'), 'UNKNOWN_ERROR')
    assert.ok(asFault(undefined) instanceof Fault)
  })

  it('does not fill holes that come with label values', () => {
    const failure = fault('SSH_AUTH_FAILED', { username: '{method}', method: '$& {username}' })
    assert.equal(failure.message, 'Authentication of user {method} with $& {username} failed.')
  })
})
