/** What both kinds of process read: messages between them, configuration files, streams of a Docker engine. */
import assert from 'node:assert/strict'
import { ConfigErrors, parseConfig } from '../../../src/shared/config/load.ts'
import { accept, ContractError, orders, reports } from '../../../src/shared/ipc/contract.ts'
import { createFrameDecoder, encodeFrame, FrameError } from '../../../src/shared/ipc/frame.ts'
import { formatLine } from '../../../src/shared/log/format.ts'
import { globMatcher, matcherOf, patternProblem } from '../../../src/shared/pattern.ts'
import { decodeAnswer, decodeInteractive } from '../../../src/shared/webhook/answers.ts'
import { firstJsonValue } from '../../../src/shared/webhook/json.ts'
import { CorruptStreamError, createDemux } from '../../../src/workers/backends/guest/demux.ts'
import { type Announcement, createHeaderReader } from '../../../src/workers/backends/guest/header.ts'
import { allowing, type Target } from '../target.ts'

/** Pieces of `size` bytes, each of its own. */
function* cut(bytes: Buffer, size: number): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield Buffer.from(bytes.subarray(at, at + size))
}
/** Frames in the order of their arrival, as text that can be compared. */
function frames(bytes: Buffer, size: number): string[] | undefined {
  const found: string[] = []
  return allowing([FrameError], () => {
    const decoder = createFrameDecoder(1024)
    for (const chunk of cut(bytes, size)) {
      decoder.push(chunk)
      for (let next = decoder.next(); !next.done; next = decoder.next()) found.push(inspect(next.value))
    }
    return found
  })
}
const inspect = (value: unknown): string => encodeFrame(value).toString('hex')

async function config(name: string, bytes: Buffer): Promise<void> {
  try {
    await parseConfig(name, bytes.toString('utf8'), { onlyParse: true })
  } catch (error) {
    if (!(error instanceof ConfigErrors)) throw error
    assert.ok(error.message.length > 0 && error.message.length < 1_000_000)
  }
}

export const shared: Readonly<Record<string, Target>> = {
  frames: {
    mostBytes: 2048,
    run: (bytes) => assert.deepEqual(frames(bytes, 7), frames(bytes, 1 << 20)),
  },
  reports: {
    mostBytes: 2048,
    run: (bytes) => {
      const decoder = createFrameDecoder()
      decoder.push(bytes)
      allowing([FrameError, ContractError], () => {
        for (let next = decoder.next(); !next.done; next = decoder.next()) {
          allowing([ContractError], () => accept(orders, 'serving', next.value))
          const report = allowing([ContractError], () => accept(reports, 'serving', next.value))
          if (report?.kind === 'log') for (const record of report.records) formatLine(record, 'text')
        }
      })
    },
  },
  'config-yaml': { mostBytes: 4096, run: (bytes) => config('config.yaml', bytes) },
  'config-json': { mostBytes: 4096, run: (bytes) => config('config.json', bytes) },
  demux: {
    mostBytes: 1024,
    run: (bytes) => {
      const texts = [1, 5, 1 << 20].map((size) => {
        let text = ''
        const demux = createDemux((type, payload) => {
          text += `${type} ${Buffer.from(payload).toString('hex')}`
        })
        const damaged = allowing([CorruptStreamError], () => {
          for (const chunk of cut(Buffer.from(bytes), size)) demux.push(chunk)
          return true
        })
        return [text.replaceAll(/(std\w+|system) /g, ''), damaged]
      })
      assert.deepEqual(texts[0], texts[1])
      assert.deepEqual(texts[0], texts[2])
    },
  },
  header: {
    mostBytes: 256,
    run: (bytes) => {
      for (const announcement of ['agent', 'shim', 'none'] satisfies Announcement[]) {
        for (const tty of [false, true]) {
          const reader = createHeaderReader(announcement, tty)
          for (const chunk of cut(bytes, 1 + ((bytes[0] ?? 0) % 8))) if (reader.push(chunk) !== undefined) return
          assert.equal(reader.end().kind, 'short')
        }
      }
    },
  },
  pattern: {
    mostBytes: 512,
    run: (bytes) => {
      const [pattern = '', text = ''] = bytes.toString('utf8').split('\n')
      for (const one of [{ glob: pattern }, { regex: pattern }])
        if (patternProblem(one) === undefined) matcherOf(one)(text)
      globMatcher(pattern.slice(0, 1024))(text)
    },
  },
  'webhook-answer': {
    mostBytes: 2048,
    run: (bytes) => {
      const value = allowing([Error, SyntaxError], () => firstJsonValue(bytes.toString('utf8')))
      for (const decode of [decodeAnswer, decodeInteractive]) allowing([Error], () => decode(value))
    },
  },
}
