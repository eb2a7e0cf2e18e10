import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { after, before, describe, it } from 'node:test'
import { Fault } from '../../../src/shared/codes/fault.ts'
import { defaults } from '../../../src/shared/config/schema.ts'
import { journalEntry } from '../../../src/shared/log/journal-format.ts'
import { openOutput } from '../../../src/shared/log/output.ts'
import type { LogRecord } from '../../../src/shared/log.ts'
import { record as recordForCodes, until } from '../../rigs/daemon.ts'
import { type Journald, startJournald } from '../../rigs/journald.ts'

const record: LogRecord = {
  level: 'warning',
  code: 'SSH_AUTH_FAILED',
  message: 'Nobody came in.',
  labels: { connectionId: '0123', remoteAddr: '192.0.2.1', RequestType: 'x', exitCode: 3, text: 'two\nlines' },
  time: Date.UTC(2026, 10, 22, 10, 51, 6),
}

describe('an entry of the journal', () => {
  it('has a field for message, level, code and each label; values of more than one line have their length', () => {
    const text = journalEntry({ ...record, labels: { remoteAddr: '::1', text: 'é\n' } }, 'x', 'me').toString('latin1')
    assert.match(
      text,
      /^MESSAGE=x\nPRIORITY=4\nSYSLOG_IDENTIFIER=me\nSYSLOG_TIMESTAMP=\S+\nCONTAINERSSH_CODE=SSH_AUTH_FAILED\n/,
    )
    assert.ok(text.endsWith('\nCONTAINERSSH_REMOTE_ADDR=::1\nCONTAINERSSH_TEXT\n\x03\0\0\0\0\0\0\0Ã©\n\n'))
  })
})

describe('the journal of systemd', { timeout: 120_000 }, () => {
  let journald: Journald
  before(async () => {
    journald = await startJournald()
  })
  after(() => journald[Symbol.asyncDispose]())

  const { log } = defaults()
  const open = (identifier: string, more: { format?: 'text' | 'ljson'; queueBytes?: number } = {}) => {
    const { socket } = journald
    const to = { ...log.journald, socket, identifier }
    return openOutput({ ...log, ...more, level: 'debug', destination: 'journald', journald: to })
  }
  /** Standard output of the process is the journal's, as systemd gives it to a service. */
  const runOnStdout = async (identifier: string, fields: boolean, socket = journald.socket) => {
    const stdout = await journald.stdout(identifier)
    const options = JSON.stringify({ journald: { fields, socket, identifier } })
    const writer = new URL('writer.ts', import.meta.url).pathname
    // Inside $( ) standard output is another, hence the copy.
    const script = `exec 3>&1; export JOURNAL_STREAM="$(stat -L -c %d:%i /proc/$$/fd/3)"; exec 3>&-; exec "$@"`
    const command = [process.execPath, writer, 'stdout', '3', '10', '300', '0', options]
    const child = spawn('sh', ['-c', script, 'sh', ...command], { stdio: ['ignore', stdout, 'inherit'] })
    assert.deepEqual(await once(child, 'exit'), [0, null])
    stdout.destroy()
    return await until('three entries', () => {
      const entries = journald.entries(identifier)
      return entries.filter(({ MESSAGE }) => MESSAGE?.includes('DOCKER_AGENT_LOG')).length === 3 ? entries : undefined
    })
  }

  it('gets entries with fields, several lines and all', async () => {
    const output = await open('fields', { format: 'text' })
    output.write(record)
    output.close()
    const entry = await until('the entry', () => journald.entries('fields')[0])
    assert.equal(entry['MESSAGE']?.slice(0, 15), 'Nobody came in.')
    assert.equal(entry['PRIORITY'], '4')
    assert.equal(entry['_PID'], String(process.pid))
    const ours = Object.entries(entry).filter(([name]) => name.startsWith('CONTAINERSSH_'))
    assert.deepEqual(Object.fromEntries(ours), {
      CONTAINERSSH_CODE: 'SSH_AUTH_FAILED',
      CONTAINERSSH_CONNECTION_ID: '0123',
      CONTAINERSSH_REMOTE_ADDR: '192.0.2.1',
      CONTAINERSSH_REQUEST_TYPE: 'x',
      CONTAINERSSH_EXIT_CODE: '3',
      CONTAINERSSH_TEXT: 'two\nlines',
    })
  })

  it('gets what is too long for a datagram with its texts cut', async () => {
    const output = await open('long', { format: 'text' })
    output.write({ ...record, labels: { text: 'é'.repeat(200_000) } })
    output.close()
    assert.equal(output.dropped, 0)
    const entry = await until('the entry', () => journald.entries('long')[0])
    assert.match(entry['CONTAINERSSH_TEXT'] ?? '', /^é{5000,}…$/)
  })

  it('that does not read stops nothing; the queue is bounded, and what was dropped is counted', async () => {
    journald.kill('SIGSTOP')
    const output = await open('stuck', { queueBytes: 64 * 1024 })
    for (let n = 0; n < 5000; n++) output.write({ ...record, labels: { n } })
    const { dropped } = output
    assert.ok(dropped > 0)
    assert.ok(output.queuedBytes <= 64 * 1024)
    journald.kill('SIGCONT')
    await until('the queue to be empty', () => output.queuedBytes === 0)
    assert.equal(output.dropped, dropped)
    output.close()
    const kept = 5000 - dropped
    await until('the entries', () => journald.entries('stuck').length === kept)
    const numbers = journald.entries('stuck').map((entry) => Number(entry['CONTAINERSSH_N']))
    assert.deepEqual(
      numbers,
      numbers.map((_, n) => n),
    )
  })

  it('behind standard output gets the lines that standard output would have got, and fields', async () => {
    const entries = await runOnStdout('stdout', true)
    assert.equal(entries.length, 3)
    for (const entry of entries) {
      const { timestamp, level, code } = JSON.parse(entry['MESSAGE'] ?? '')
      assert.deepEqual([entry['SYSLOG_TIMESTAMP'], level, code], [timestamp, 'info', entry['CONTAINERSSH_CODE']])
      assert.equal(entry['PRIORITY'], '6')
      assert.equal(entry['_TRANSPORT'], 'journal')
    }
  })

  it('behind standard output gets plain lines where fields are not wanted', async () => {
    const entries = await runOnStdout('plain', false)
    assert.equal(entries.length, 3)
    for (const entry of entries) {
      assert.equal(entry['_TRANSPORT'], 'stdout')
      assert.equal(entry['PRIORITY'], '5')
      assert.match(entry['MESSAGE'] ?? '', /^\{"timestamp".*\}$/)
    }
  })

  it('behind standard output gets lines and their level where its other socket cannot be reached', async () => {
    const [notice, ...entries] = await runOnStdout('level', true, '/nowhere')
    recordForCodes(notice?.['MESSAGE'] ?? '')
    assert.match(notice?.['MESSAGE'] ?? '', /"code":"LOG_JOURNAL_PLAIN".*ENOENT/)
    assert.equal(entries.length, 3)
    for (const entry of entries) {
      assert.equal(entry['_TRANSPORT'], 'stdout')
      assert.equal(entry['PRIORITY'], '6')
      assert.match(entry['MESSAGE'] ?? '', /^\{"timestamp".*\}$/)
    }
  })

  it('that cannot be reached is a configuration error that names the option', async () => {
    const nowhere = { ...log.journald, socket: '/nowhere' }
    await assert.rejects(openOutput({ ...log, destination: 'journald', journald: nowhere }), (error) => {
      assert.ok(error instanceof Fault)
      assert.equal(error.code, 'CORE_CONFIG_ERROR')
      assert.equal(error.labels['option'], 'log.journald.socket')
      assert.match(String(error.cause), /ENOENT/)
      return true
    })
  })
})
