import assert from 'node:assert/strict'
import { describe, mock, test } from 'node:test'
import fc from 'fast-check'
import { Echo } from '../../../src/workers/audit/echo/index.ts'
import { asksForSecret } from '../../../src/workers/audit/echo/prompt.ts'

/** A terminal: `typed` what the user typed, `shown` what came back; both in the order of `recorded`. */
function terminal() {
  const recorded: string[] = []
  const echo = new Echo((bytes) => recorded.push(Buffer.from(bytes).toString('latin1')))
  return {
    echo,
    typed: (text: string) => echo.typed(Buffer.from(text)),
    shown: (text: string) => echo.written(Buffer.from(text)),
    /** Everything recorded so far. */
    recorded: () => recorded.join(''),
  }
}
type Terminal = ReturnType<typeof terminal>

/** One key after the other, each shown as `echo` says. */
function keys({ typed, shown }: Terminal, text: string, echo = (key: string) => key): void {
  for (const key of text) {
    typed(key)
    const back = key === '\r' ? '\r\n' : echo(key)
    if (back !== '') shown(back)
  }
}
const unseen = (): string => ''

describe('what the terminal shows', () => {
  test('is recorded as it was typed, key by key', () => {
    const one = terminal()
    one.shown('$ ')
    keys(one, 'ls -l /tmp\r')
    assert.equal(one.recorded(), 'ls -l /tmp\r')
  })

  test('is recorded before what shows it', () => {
    const order: string[] = []
    const echo = new Echo((bytes) => order.push(Buffer.from(bytes).toString()))
    echo.typed(Buffer.from('x'))
    assert.deepEqual(order, [])
    echo.written(Buffer.from('x'))
    assert.deepEqual(order, ['x'])
  })

  test('is recorded when a whole line, and lines typed ahead, are shown later and in pieces', () => {
    const one = terminal()
    one.typed('echo one\recho two\r')
    for (const piece of ['ec', 'ho one\r', '\necho', ' two\r\n']) one.shown(piece)
    assert.equal(one.recorded(), 'echo one\recho two\r')
  })

  test('is recognized when a line editor draws the line anew, in colours, or inserts', () => {
    const one = terminal()
    one.shown('host% ')
    one.typed('l')
    one.shown('\x1b[1m\x1b[31ml\x1b[0m')
    one.typed('s')
    one.shown('\b\x1b[32ml\x1b[32ms\x1b[39m')
    one.typed('\x1b[D')
    one.shown('\b')
    one.typed('é')
    one.shown('\r\x1b[Khost% léss\x1b[2D'.replace('léss', 'lés'))
    assert.equal(one.recorded(), Buffer.from('ls\x1b[Dé').toString('latin1'))
  })

  test('is recorded on a full screen, whatever the program draws', () => {
    const one = terminal()
    one.shown('\x1b[?1049h\x1b[2J\x1b[1;1H~\r\n~\r\n')
    one.typed('ihello')
    one.typed('\x1b:wq\r')
    assert.equal(one.recorded(), 'ihello\x1b:wq\r')
    one.shown('\x1b[?1049l$ ')
    one.typed('secret')
    assert.equal(one.recorded(), 'ihello\x1b:wq\r')
  })
})

describe('what the terminal does not show', () => {
  test('is masked at once where the line asks for a secret, with its end', () => {
    for (const prompt of ['[sudo] password for bob: ', 'Enter passphrase for key: ', 'Passwort: ', 'パスワード：']) {
      const one = terminal()
      one.shown(`$ \r\n${prompt}`)
      keys(one, 'hunter2', unseen)
      assert.equal(one.recorded(), '*******', prompt)
      keys(one, '\r')
      assert.equal(one.recorded(), '*******\r')
    }
  })

  test('is masked when a program does not say what it wants', () => {
    const one = terminal()
    one.shown('$ ')
    keys(one, 'read -s x\r')
    one.typed('hunter2\r')
    one.shown('\r\n$ ')
    keys(one, 'id\r')
    assert.equal(one.recorded(), 'read -s x\r*******\rid\r')
  })

  test('is masked when nothing comes back', () => {
    mock.timers.enable({ apis: ['setTimeout'] })
    try {
      const one = terminal()
      one.typed('h')
      assert.equal(one.recorded(), '')
      mock.timers.tick(1000)
      assert.equal(one.recorded(), '*')
      one.typed('u')
      assert.equal(one.recorded(), '**')
    } finally {
      mock.timers.reset()
    }
  })

  test('is masked when the session ends before anything has come back', () => {
    const one = terminal()
    one.typed('hunter2')
    one.echo.end()
    assert.equal(one.recorded(), '*******')
  })

  test('is masked when the program answers with stars, or with something else', () => {
    const one = terminal()
    one.shown('[sudo] password for bob: ')
    keys(one, 'hunter2', () => '*')
    one.shown('\r\nSorry, try again.\r\n[sudo] password for bob: ')
    keys(one, 'hunter3', unseen)
    assert.equal(one.recorded(), '**************')
  })

  test('is masked on a full screen, too, where it asks for a secret, even if something else is drawn meanwhile', () => {
    const one = terminal()
    one.shown('\x1b[?1049h\x1b[H\x1b[2J\x1b[5;1H[sudo] password for bob: ')
    one.shown('\x1b[24;1H12:34 tmux\x1b[5;26H')
    keys(one, 'hunter2', unseen)
    one.typed('\r')
    assert.equal(one.recorded(), '*******\r')
    one.typed('ls')
    assert.equal(one.recorded(), '*******\rls')
  })
})

test('a line that only looks like a question for a secret is shown again from its third character on', () => {
  const one = terminal()
  one.shown('$ ')
  keys(one, 'echo token: abcd\r')
  assert.equal(one.recorded(), 'echo token:**bcd\r')
})

test('after a secret the next line is a line like any other', () => {
  const one = terminal()
  one.shown('Password: ')
  keys(one, 'x\r', (key) => (key === 'x' ? '' : key))
  one.shown('$ ')
  keys(one, 'id\r')
  assert.equal(one.recorded(), '*\rid\r')
})

test('many bytes typed without an echo are masked, and cost no more than their number', () => {
  const one = terminal()
  one.typed('x'.repeat(200_000))
  assert.equal(one.recorded(), '*'.repeat(200_000))
})

test('no byte of text is recorded that has not been shown, however input and output are cut', () => {
  const piece = fc.oneof(
    fc.record({ typed: fc.string({ unit: fc.constantFrom('a', 'b', 'c', '\r', '\t'), maxLength: 8 }) }),
    fc.record({
      shown: fc.string({
        unit: fc.constantFrom('x', 'y', ':', '*', '\r\n', '\r', '\b', '\x1b[K', '\x1b[H'),
        maxLength: 8,
      }),
    }),
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
      const one = terminal()
      let typed = ''
      for (const each of pieces) {
        if ('typed' in each) {
          typed += each.typed
          one.typed(each.typed)
        } else one.shown(each.shown)
      }
      one.echo.end()
      assert.equal(one.recorded(), typed.replaceAll(/[abc]/g, '*'))
    }),
  )
})

test('everything that a terminal with an echo shows is recorded, however input is cut', () => {
  const key = fc.constantFrom('a', 'b', ' ', '-', '\r')
  fc.assert(
    fc.property(fc.array(fc.string({ unit: key, minLength: 1, maxLength: 6 }), { maxLength: 20 }), (pieces) => {
      const one = terminal()
      for (const each of pieces) {
        one.typed(each)
        one.shown(each.replaceAll('\r', '\r\n'))
      }
      assert.equal(one.recorded(), pieces.join(''))
    }),
  )
})

test('questions for secrets are told from other lines', () => {
  for (const line of ['Password:', 'Enter PIN: ', 'New password: ', 'Verification code: ', 'root@db password> '])
    assert.ok(asksForSecret(line), line)
  for (const line of ['$ ', 'passwords.txt', 'bob@host:~$ ', 'Continue? ', 'passwd: file updated successfully $ '])
    assert.ok(!asksForSecret(line), line)
})
