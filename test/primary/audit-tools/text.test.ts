import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createScreen, type Screen } from '../../../src/primary/audit-tools/terminal/screen.ts'
import { audit, expectGolden, goldenPath, logFile, session } from './rig.ts'

const shown = (columns: number, rows: number, act: (screen: Screen) => void): string[] => {
  const lines: string[] = []
  const screen = createScreen({ columns, rows, newline: false, line: (text) => lines.push(text) })
  act(screen)
  screen.close()
  return lines
}
const written = (text: string, columns = 20, rows = 5): string[] => shown(columns, rows, (screen) => screen.write(text))

test('a real session is printed as its screen showed it', async () => {
  for (const name of ['reference-0.6-pty-resize', 'reference-0.6-keepalive']) {
    const { out, status } = await audit('text', goldenPath(`${name}.auditlog`))
    assert.equal(out, expectGolden(`${name}.txt`, out))
    assert.equal(status, 0)
  }
})

test('colours, titles and other sequences leave no trace, however they are cut', () => {
  const text =
    '\x1b[1;31mred\x1b[0m \x1b]0;title\x07plain\x1b(B\x1b]8;;http://x\x1b\\ link\x1b[?25h\x1bP1;2|dcs\x1b\\\x9b!\r\n'
  assert.deepEqual(written(text), ['red plain link!'])
  const pieces = shown(20, 5, (screen) => {
    for (const character of text) screen.write(character)
  })
  assert.deepEqual(pieces, ['red plain link!'])
})

test('what is typed over, erased or moved is as the eye saw it last', () => {
  assert.deepEqual(written('50%\r100%\r\nabc\b\bX\r\n12345\x1b[3D\x1b[K!'), ['100%', 'aXc', '12!'])
  assert.deepEqual(written('abcdef\r\x1b[2P\x1b[1@-\r\n1234\x1b[2;2H\x1b[X'), ['-cdef', '1 34'])
  assert.deepEqual(written('a\tb\r\n\x1b[4Gx\x1b[3`y'), ['a       b', '  yx'])
  assert.deepEqual(written('one\r\ntwo\r\nthree\x1b[2;1H\x1b[M'), ['one', 'three'])
  assert.deepEqual(written('one\r\nthree\x1b[2;1H\x1b[Ltwo'), ['one', 'two', 'three'])
})

test('a line that went on in the next row is one line', () => {
  assert.deepEqual(written('0123456789abc\r\nnext', 10, 3), ['0123456789abc', 'next'])
  assert.deepEqual(written('0123456789\r\nnext', 10, 3), ['0123456789', 'next'])
  assert.deepEqual(written('0123456789abc\r\n1\r\n2\r\n3', 10, 2), ['0123456789abc', '1', '2', '3'])
})

test('wide characters take two columns, and marks none', () => {
  assert.deepEqual(written('日本x\x1b[5Gy'), ['日本y'])
  assert.deepEqual(written('e\u0301a\bb'), ['e\u0301b'])
})

test('a screen that is erased, or an editor that is left, is printed first', () => {
  assert.deepEqual(written('before\x1b[H\x1b[2Jafter'), ['before', 'after'])
  assert.deepEqual(written('$ vi\r\n\x1b[?1049h\x1b[Htext\r\n~\x1b[?1049l$ '), ['text', '~', '$ vi', '$'])
})

test('a smaller window loses no line', () => {
  const lines = shown(20, 5, (screen) => {
    screen.write('1\r\n2\r\n3\r\n4')
    screen.resize({ columns: 20, rows: 2 })
    screen.write('\r\n5')
  })
  assert.deepEqual(lines, ['1', '2', '3', '4', '5'])
})

test('without a terminal, line feeds end lines, and the two outputs do not meet in one', async () => {
  const told = session().exec('x').io(1, 'out ').io(2, 'err\n').io(1, 'put\nca').io(1, Uint8Array.of(0x66, 0xc3))
  told.io(1, Uint8Array.of(0xa9)).io(0, 'typed\n').exit(0)
  assert.equal((await audit('text', logFile('pipes', told.records))).out, 'err\nout put\ncafé\n')
})

test('a subsystem speaks a protocol, no text', async () => {
  const { out, status } = await audit('text', goldenPath('reference-0.6-sftp.auditlog'))
  assert.deepEqual([out, status], ['', 0])
})

test('--channel leaves out all other sessions', async () => {
  const records = [...session(1).exec('a').io(1, 'of a\n').records, ...session(2).exec('b').io(1, 'of b\n').records]
  const file = logFile('channels', records)
  assert.equal((await audit('text', file)).out, 'of a\nof b\n')
  assert.equal((await audit('text', '--channel', '2', file)).out, 'of b\n')
  const none = await audit('text', '--channel', '3', file)
  assert.deepEqual([none.status, none.err], [1, `${file}: expected session channel 3, found none\n`])
})

test('whatever is written, the lines have no control character, and the screen does not grow', () => {
  const piece = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom(
      '\r',
      '\n',
      '\b',
      '\t',
      '\x1b7',
      '\x1b8',
      '\x1bM',
      '\x1bc',
      '\x1b[?1049h',
      '\x1b[?1049l',
      'text',
      '日',
    ),
    fc
      .tuple(fc.nat(70_000), fc.nat(12), fc.constantFrom(...'ABCDEFGHJKLMPSTXdfr@`su'))
      .map(([a, b, final]) => `\x1b[${a};${b}${final}`),
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 60 }), fc.nat(2000), fc.nat(600), (pieces, columns, rows) => {
      const lines = shown(columns, rows, (screen) => {
        for (const text of pieces) screen.write(text)
        screen.resize({ columns: rows, rows: columns })
        for (const text of pieces) screen.write(text)
      })
      for (const line of lines) assert.doesNotMatch(line, /\p{Cc}/u)
    }),
    { numRuns: 200 },
  )
})
