import assert from 'node:assert/strict'
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rename, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { asFault, Fault } from '../../../src/shared/codes/fault.ts'
import { defaults } from '../../../src/shared/config/schema.ts'
import { type LogConfig, openOutput } from '../../../src/shared/log/output.ts'
import { createLog, type LogRecord } from '../../../src/shared/log.ts'
import { record as recordForCodes } from '../../rigs/daemon.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'containerssh-log-'))
})
afterEach(async () => {
  await rm(folder, { recursive: true, force: true })
})

const toFile = (file: string): LogConfig => ({ ...defaults().log, level: 'debug', destination: 'file', file })

const record = (n: number): LogRecord => ({ level: 'info', code: 'TEST', message: `record ${n}`, labels: {}, time: 0 })

interface Line {
  readonly level: string
  readonly code: string
  readonly message: string
  readonly details: Record<string, unknown>
}
const parse = (text: string): Line[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))
/** Real log output counts for `npm run codes`. */
const parseAndRecord = (text: string): Line[] => {
  const lines = parse(text)
  for (const line of lines) if (line.code !== undefined) recordForCodes(JSON.stringify(line))
  return lines
}
const messages = async (file: string): Promise<string[]> =>
  parse(await readFile(file, 'utf8')).map((line) => line.message)

describe('a log file', () => {
  it('is created with mode 0644 minus umask and appended to when it exists', async () => {
    const file = join(folder, 'log')
    const umask = process.umask(0o027)
    try {
      for (const n of [1, 2]) {
        const output = await openOutput(toFile(file))
        output.write(record(n))
        output.close()
      }
    } finally {
      process.umask(umask)
    }
    assert.deepEqual(await messages(file), ['record 1', 'record 2'])
    assert.equal((await stat(file)).mode & 0o777, 0o640)
  })

  it('that cannot be opened is LOG_FILE_OPEN_FAILED with its path and the reason', async () => {
    const file = join(folder, 'missing', 'log')
    await assert.rejects(openOutput(toFile(file)), (error) => {
      assert.ok(error instanceof Fault)
      assert.equal(error.code, 'LOG_FILE_OPEN_FAILED')
      assert.deepEqual(error.labels, { file })
      assert.match(String(error.cause), /ENOENT/)
      return true
    })
  })

  it('gets every record once and in order, across many turns and a close at the end', async () => {
    const file = join(folder, 'log')
    const output = await openOutput(toFile(file))
    const expected: string[] = []
    for (let n = 0; n < 5000; n++) {
      output.write(record(n))
      expected.push(`record ${n}`)
      if (n % 97 === 0) await new Promise(setImmediate)
    }
    output.close()
    assert.deepEqual(await messages(file), expected)
    assert.equal(output.dropped, 0)
  })

  it('is complete when it is closed while a write is in flight', async () => {
    const file = join(folder, 'log')
    for (let n = 0; n < 20; n++) {
      const output = await openOutput(toFile(file))
      output.write(record(2 * n))
      // The first turn starts the write; its end is only seen in a later one.
      await new Promise(setImmediate)
      output.write(record(2 * n + 1))
      output.close()
    }
    const expected = Array.from({ length: 40 }, (_, n) => `record ${n}`)
    assert.deepEqual(await messages(file), expected)
  })

  it('ignores what comes after close', async () => {
    const file = join(folder, 'log')
    const output = await openOutput(toFile(file))
    output.close()
    output.close()
    output.write(record(1))
    await output.rotate()
    assert.equal(await readFile(file, 'utf8'), '')
  })
})

describe('rotation', () => {
  it('goes over to a new file of the same name, loses nothing and logs nothing', async () => {
    const file = join(folder, 'log')
    const output = await openOutput(toFile(file))
    output.write(record(1))
    await new Promise(setImmediate)
    await rename(file, `${file}.1`)
    await output.rotate()
    output.write(record(2))
    output.close()
    const [old, fresh] = [await messages(`${file}.1`), await messages(file)]
    assert.deepEqual([...old, ...fresh], ['record 1', 'record 2'])
    assert.equal(fresh.at(-1), 'record 2')
  })

  it('in the midst of much output keeps each line whole and in one of the files', async () => {
    const file = join(folder, 'log')
    const output = await openOutput(toFile(file))
    for (let n = 0; n < 3000; n++) {
      output.write(record(n))
      if (n % 500 === 250) {
        await rename(file, `${file}.${n}`)
        await output.rotate()
      }
      if (n % 10 === 0) await new Promise(setImmediate)
    }
    output.close()
    const all: string[] = []
    for (const n of [250, 750, 1250, 1750, 2250, 2750]) all.push(...(await messages(`${file}.${n}`)))
    all.push(...(await messages(file)))
    assert.deepEqual(
      all,
      Array.from({ length: 3000 }, (_, n) => `record ${n}`),
    )
  })

  it('that fails keeps the old file and says so in it', async () => {
    const inner = join(folder, 'inner')
    await mkdir(inner)
    const file = join(inner, 'log')
    const output = await openOutput(toFile(file))
    output.write(record(1))
    await rename(inner, join(folder, 'moved'))
    await output.rotate()
    output.write(record(2))
    output.close()
    const [first, failure, last] = parseAndRecord(await readFile(join(folder, 'moved', 'log'), 'utf8'))
    assert.deepEqual([first?.message, last?.message], ['record 1', 'record 2'])
    assert.deepEqual([failure?.level, failure?.code, failure?.details], ['error', 'LOG_ROTATE_FAILED', { file }])
    assert.match(failure?.message ?? '', /The log file .* cannot be opened\. \(ENOENT/)
  })

  it('that fails is silent when the level says so', async () => {
    const inner = join(folder, 'inner')
    await mkdir(inner)
    const output = await openOutput({ ...toFile(join(inner, 'log')), level: 'crit' })
    await rename(inner, join(folder, 'moved'))
    await output.rotate()
    output.close()
    assert.equal(await readFile(join(folder, 'moved', 'log'), 'utf8'), '')
  })

  it('in the midst of a line writes that line again as a whole', async () => {
    // A FIFO that nobody reads takes 64 KiB and not a byte more.
    const file = join(folder, 'log')
    execFileSync('mkfifo', [file])
    const output = await openOutput(toFile(file))
    for (let n = 0; n < 2000; n++) output.write(record(n))
    await new Promise(setImmediate)
    await rm(file)
    await output.rotate()
    output.close()
    const written = (await messages(file)).map((message) => Number(message.replace('record ', '')))
    const first = written[0] ?? 0
    assert.ok(first > 0)
    assert.deepEqual(
      written,
      Array.from({ length: 2000 - first }, (_, n) => first + n),
    )
  })

  it('ends trouble with a full disk', async () => {
    const file = join(folder, 'log')
    execFileSync('ln', ['-s', '/dev/full', file])
    const output = await openOutput(toFile(file))
    output.write(record(1))
    await new Promise(setImmediate)
    await rm(file)
    await output.rotate()
    output.close()
    assert.deepEqual(await messages(file), ['record 1'])
  })
})

const writer = new URL('writer.ts', import.meta.url).pathname
const PATIENT_MS = 20_000

/** Runs a process that logs `count` records; gives its log, its standard error and its exit status. */
function run(shell: string, destination: string, count: number, closeMs = 300, lingerMs = 0) {
  const command = [process.execPath, writer, destination, count, 200, closeMs, lingerMs].join(' ')
  const options = { encoding: 'utf8', maxBuffer: 1 << 28, timeout: 60_000 } as const
  const { status, stdout, stderr } = spawnSync('sh', ['-c', shell.replace('LOG', command)], options)
  const [summary, ...troubles] = parseAndRecord(stderr).reverse()
  return {
    status,
    stdout,
    troubles: troubles.reverse(),
    summary: summary as unknown as { lost: number; dropped: number },
  }
}
const sumDropped = (troubles: readonly Line[]): number =>
  troubles.reduce((sum, trouble) => sum + Number(trouble.details['dropped']), 0)

describe('a destination in trouble', () => {
  it('that is full ends nothing; standard error tells it at once, and at the end how many records are lost', () => {
    const { status, troubles, summary } = run('LOG', '/dev/full', 1000)
    assert.equal(status, 0)
    assert.equal(troubles.length, 2)
    for (const trouble of troubles) {
      assert.deepEqual([trouble.level, trouble.code], ['error', 'LOG_WRITE_FAILED'])
      assert.equal(trouble.details['destination'], '/dev/full')
    }
    assert.match(troubles[0]?.message ?? '', /ENOSPC/)
    assert.equal(sumDropped(troubles), 1000)
    assert.equal(summary.lost, 1000)
  })

  it('that nobody reads does not stop the process, and what does not fit is counted', () => {
    const fifo = join(folder, 'fifo')
    execFileSync('mkfifo', [fifo])
    const { status, troubles, summary } = run('LOG', fifo, 50_000)
    assert.equal(status, 0)
    assert.ok(summary.dropped > 0)
    assert.ok(summary.lost > 0)
    assert.equal(sumDropped(troubles), summary.dropped + summary.lost)
    // A pipe holds 64 KiB by default: some 150 records got into it.
    assert.ok(sumDropped(troubles) < 50_000)
  })

  it('that went away ends nothing', () => {
    const { status, troubles } = run('exec 3>&1; { LOG; echo status $? >&3; } | true', 'stdout', 100, 300, 200)
    assert.equal(status, 0)
    assert.match(troubles[0]?.message ?? '', /EPIPE/)
  })
})

const numbers = (lines: string): number[] =>
  parse(lines).map((line) => Number.parseInt(String(line.details['text']), 10))
const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n)

describe('standard output', () => {
  it('that is a pipe gets every record, the last ones too when its reader is slow', () => {
    const { stdout } = run('LOG | { sleep 0.2; cat; }', 'stdout', 400, PATIENT_MS)
    assert.deepEqual(numbers(stdout), upTo(400))
  })

  it('that is a socket gets every record, the last ones too when its reader is slow', async () => {
    // Node gives its children sockets where others give pipes.
    const child = spawn(process.execPath, [writer, 'stdout', '2000', '200', String(PATIENT_MS)], {
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    await setTimeout(300)
    assert.deepEqual(numbers(await text(child.stdout)), upTo(2000))
  })

  it('that nobody reads does not stop the process, be it a pipe or a socket', async () => {
    const fifo = join(folder, 'fifo')
    execFileSync('mkfifo', [fifo])
    const pipe = run(`exec 3<>${fifo}; LOG >&3`, 'stdout', 50_000)
    assert.equal(pipe.status, 0)
    assert.ok(pipe.summary.dropped > 0)
    const command = [writer, 'stdout', '50000', '200']
    const child = spawn(process.execPath, command, { stdio: ['ignore', 'pipe', 'pipe'], timeout: 60_000 })
    const exited = once(child, 'exit')
    const summary = parseAndRecord(await text(child.stderr)).at(-1) as unknown as { dropped: number }
    assert.deepEqual(await exited, [0, null])
    assert.ok(summary.dropped > 0)
    child.stdout.destroy()
  })

  it('that is a file shared with other writers is appended to where they are', () => {
    const { stdout } = run(`{ echo before; LOG; echo after; } > ${folder}/out; cat ${folder}/out`, 'stdout', 3)
    const lines = stdout.trim().split('\n')
    assert.deepEqual([lines.length, lines[0], lines.at(-1)], [5, 'before', 'after'])
  })

  it('stays blocking for the other processes that have it', () => {
    const flags = `grep flags /proc/self/fdinfo/1 >&2`
    const options = { encoding: 'utf8', timeout: 60_000 } as const
    const command = `{ ${process.execPath} ${writer} stdout 10; ${flags}; } | cat > /dev/null`
    const { stderr } = spawnSync('sh', ['-c', command], options)
    const octal = /flags:\s*(\d+)/.exec(stderr)?.[1]
    assert.equal(Number.parseInt(octal ?? '', 8) & 0o4000, 0)
  })
})

describe('the output of a log', () => {
  it('takes the records of a log', async () => {
    const file = join(folder, 'log')
    const output = await openOutput(toFile(file))
    const log = createLog({ level: 'debug', labels: { module: 'core' }, write: output.write })
    log.emit('TEST', {})
    log.fault(asFault(new TypeError('x is not a function')))
    output.close()
    const written = parseAndRecord(await readFile(file, 'utf8'))
    assert.deepEqual(
      written.map(({ level, code, message, details }) => ({ level, code, message, details })),
      [
        { level: 'debug', code: 'TEST', message: 'Test record.', details: { module: 'core' } },
        {
          level: 'error',
          code: 'UNKNOWN_ERROR',
          message: 'Unexpected error. (x is not a function)',
          details: { module: 'core' },
        },
      ],
    )
  })

  it('has the configured format', async () => {
    const file = join(folder, 'log')
    const output = await openOutput({ ...toFile(file), format: 'text' })
    output.write(record(1))
    output.close()
    assert.equal((await readFile(file, 'utf8')).split('\t').slice(1).join(' '), 'info record 1\n')
  })
})
