/** The command line of `ctl`, and its answers for people. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ConnectionView, ListView } from '../../../src/primary/control/views.ts'
import { DEFAULT_SOCKET, parseCtlArguments } from '../../../src/primary/ctl/arguments.ts'
import { asides, harmless, listText, metricsText, size, span, table } from '../../../src/primary/ctl/text.ts'

const basics = { socket: DEFAULT_SOCKET, config: undefined, json: false }

test('words become an action', () => {
  const cases: readonly (readonly [words: string, action: object])[] = [
    ['list', { verb: 'list', all: false }],
    ['--json list --all', { json: true, verb: 'list', all: true }],
    ['--socket=/x watch --channel 3 abcd', { socket: '/x', verb: 'watch', id: 'abcd', channel: '3', plain: false }],
    ['message abcd hello', { verb: 'message', id: 'abcd', text: 'hello', stderr: false }],
    ['message --stderr abcd -- --all', { verb: 'message', id: 'abcd', text: '--all', stderr: true }],
    ['kill abcd --reason bye', { verb: 'kill', id: 'abcd', reason: 'bye' }],
    ['kill --user alice', { verb: 'kill-user', user: 'alice', reason: '' }],
    ['metrics ssh', { verb: 'metrics', part: 'ssh' }],
    ['drain', { verb: 'drain' }],
  ]
  for (const [words, action] of cases) {
    assert.deepEqual(parseCtlArguments(words.split(' ')), { kind: 'ctl', action: { ...basics, ...action } }, words)
  }
  assert.deepEqual(parseCtlArguments(['list', '--help']), { kind: 'ctl-help' })
})

test('wrong words are one line', () => {
  const cases: readonly (readonly [words: string, message: RegExp])[] = [
    ['', /^ctl needs one of status, list/],
    ['lst', /did you mean list\?$/],
    ['show', /needs exactly one ID/],
    ['show a b', /needs exactly one ID/],
    ['kill', /either an ID or --user/],
    ['kill a --user b', /either an ID or --user/],
    ['message abcd', /needs an ID and a text/],
    ['list --plain', /--plain does not belong to ctl list/],
    ['list --al', /unknown flag: --al; did you mean --all\?/],
    ['--socket', /flag needs a value: --socket/],
    ['list --all=yes', /takes no value/],
    ['drain now', /takes nothing else/],
    ['list --socket /a --config /b', /either --socket or --config/],
  ]
  for (const [words, message] of cases) {
    const found = parseCtlArguments(words.split(' ').filter(Boolean))
    assert.equal(found.kind, 'wrong', words)
    assert.match('message' in found ? found.message : '', message)
  }
})

test('what users chose does nothing to the terminal', () => {
  assert.equal(harmless('a\x1b[2Jb\x9bc\u202ed\r\n'), 'a\\u{1b}[2Jb\\u{9b}c\\u{202e}d\\u{d}\\u{a}')
  assert.equal(harmless('größe 文件 🙂'), 'größe 文件 🙂')
})

test('tables, times and sizes', () => {
  assert.equal(
    table(
      ['A', 'BB'],
      [
        ['long', 'x'],
        ['', 'y'],
      ],
    ),
    'A     BB\nlong  x\n      y\n',
  )
  assert.deepEqual([0, 59.6, 61, 3700, 90_000].map(span), ['0s', '1m0s', '1m1s', '1h1m', '1d1h'])
  assert.deepEqual([0, 1023, 1024, 5_000_000].map(size), ['0 B', '1023 B', '1.0 KiB', '4.8 MiB'])
})

const view: ConnectionView = {
  ...{ id: 'a'.repeat(32), username: 'ali\x1bce', remoteAddress: '192.0.2.1', remotePort: 5, country: 'XX' },
  ...{ clientVersion: '', connectedAt: new Date().toISOString(), authenticatedAt: new Date().toISOString() },
  ...{ idleSeconds: 3, worker: 1, pid: 2, retired: true, room: 'c'.repeat(64), channelCount: 1 },
  ...{ receivedBytes: 10, sentBytes: 20 },
  channels: [
    {
      ...{ id: 0, type: 'session', program: 'exec', detail: 'vi\n', terminal: { columns: 80, rows: 24 }, room: null },
      ...{ receivedBytes: 10, sentBytes: 20 },
    },
  ],
}

test('a list leaves out who has not logged in, unless all are wanted', () => {
  const list: ListView = { connections: [view, { ...view, username: null }], silentWorkers: [], others: [] }
  const lines = listText(list, false).trimEnd().split('\n')
  assert.equal(lines.length, 2)
  assert.match(
    lines[1] ?? '',
    /^a{12} {2}ali\\u\{1b\}ce .* 1 \(retired\) +c{12}… +10 B +20 B +exec vi\\u\{a\} \(terminal\)$/,
  )
  assert.match(listText(list, true), /\(not logged in\)/)
})

test('what an answer does not hold is said beside it', () => {
  const others = [
    { pid: 7, socket: '/s.7', connections: 2 },
    { pid: 8, socket: '/s.8', connections: null },
  ]
  assert.deepEqual(asides(others, [3]), [
    'worker 3 did not answer: its connections are not in the list',
    'another process (7) still holds 2 connections: see containerssh ctl --socket /s.7 list',
    'another process (8) has a socket here and does not answer: /s.8',
  ])
})

test('metrics that are zero are left out', () => {
  const text = metricsText(
    {
      gauges: [
        { name: 'a', labels: {}, value: 0 },
        { name: 'b', labels: { x: 'y' }, value: 2 },
      ],
      counters: [{ name: 'c', labels: {}, value: 1 }],
      histograms: [{ name: 'b_seconds', labels: {}, value: 3, count: 2 }],
    },
    'b',
  )
  assert.equal(text, 'NAME       VALUE\nb{x="y"}   2\nb_seconds  2 times, 1.5 on average\n')
})
