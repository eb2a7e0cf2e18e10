import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it, mock } from 'node:test'
import type { Destination } from '../../../src/shared/log/destination.ts'
import { REPORT_EVERY_MS, troubleReport } from '../../../src/shared/log/trouble.ts'
import { processCounters } from '../../../src/shared/metric.ts'

let told: { readonly message: string; readonly dropped: number }[] = []
const stderr = (): Destination => ({
  name: 'stderr',
  write(line) {
    const { message, details } = JSON.parse(line)
    told.push({ message, dropped: details.dropped })
    return true
  },
  reopen: async () => undefined,
  close: () => 0,
  queuedBytes: 0,
})
const drops = () => told.map(({ dropped }) => dropped)

describe('the report of trouble with the log', () => {
  beforeEach(() => {
    told = []
    mock.timers.enable({ apis: ['setTimeout'] })
  })
  afterEach(() => mock.timers.reset())

  it('is written at once, then at most once in ten seconds with the count of what was dropped', () => {
    const report = troubleReport('/x', 'ljson', stderr)
    report.failed(new Error('no space'))
    for (let n = 0; n < 5; n++) report.dropped()
    assert.deepEqual(drops(), [0])
    mock.timers.tick(REPORT_EVERY_MS - 1)
    assert.deepEqual(drops(), [0])
    mock.timers.tick(1)
    assert.deepEqual(drops(), [0, 5])
    report.dropped()
    mock.timers.tick(REPORT_EVERY_MS)
    assert.deepEqual(drops(), [0, 5, 1])
    report.close(0)
  })

  it('ends with the trouble', () => {
    const report = troubleReport('/x', 'ljson', stderr)
    report.failed(new Error('no space'))
    mock.timers.tick(10 * REPORT_EVERY_MS)
    assert.deepEqual(drops(), [0])
    report.failed(new Error('no space'))
    assert.deepEqual(drops(), [0, 0])
    report.close(0)
  })

  it('names the destination and the last cause', () => {
    const report = troubleReport('/x', 'ljson', stderr)
    report.failed(new Error('no space'))
    assert.match(told[0]?.message ?? '', /\/x.*\(no space\)$/)
    report.close(0)
  })

  it('counts what is missing for the metrics', () => {
    const missing = () =>
      processCounters.read().find(([name]) => name === 'containerssh_log_missing_records_total')?.[2] ?? 0
    const before = missing()
    const report = troubleReport('/x', 'ljson', stderr)
    report.failed(new Error('no space'), 2)
    report.dropped()
    report.close(4)
    assert.equal(missing() - before, 7)
    assert.equal(report.total, 7)
  })

  it('repeats records as long as there is trouble, and not otherwise', () => {
    const report = troubleReport('/x', 'ljson', stderr)
    const record = { level: 'error', code: 'TEST', message: 'repeated', labels: {}, time: 0 } as const
    report.echo(record)
    assert.deepEqual(told, [])
    report.failed(new Error('no space'))
    report.echo(record)
    assert.deepEqual(told.map(({ message }) => message).slice(1), ['repeated'])
    report.close(0)
  })

  it('tells at the close what was not told yet, and what is lost with it', () => {
    const report = troubleReport('/x', 'ljson', stderr)
    report.dropped()
    report.dropped()
    report.close(3)
    assert.deepEqual(drops(), [1, 4])
  })

  it('says nothing when there is nothing to say', () => {
    troubleReport('/x', 'ljson', stderr).close(0)
    assert.deepEqual(told, [])
  })
})
