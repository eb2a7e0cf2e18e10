/** What is recorded of a person at a real terminal, in a real container: secrets are not, everything else is. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { AuditRecord } from '../../src/shared/audit/record.ts'
import { until } from '../rigs/daemon.ts'
import { type Login, login } from '../rigs/login.ts'
import { terminal } from '../rigs/terminal.ts'
import { contentsOf } from '../shared/audit/rig.ts'

const intercept = { stdin: true, stdout: true, stderr: true, passwords: false, forwarding: false }

describe('what is typed at a terminal', { concurrency: 1 }, () => {
  let directory: string
  let host: Login
  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'containerssh-audit-'))
    const audit = { enable: true, format: 'binary', storage: 'file', file: { directory }, intercept }
    host = await login({ config: { audit } })
  })
  after(async () => {
    await host[Symbol.asyncDispose]()
    rmSync(directory, { recursive: true, force: true })
  })

  /** What was recorded of a session in which a person did `work`. */
  async function recorded(work: (term: ReturnType<typeof terminal>) => Promise<void>): Promise<readonly AuditRecord[]> {
    const before = host.daemon.lines.filter(({ code }) => code === 'SSH_DISCONNECTED').length
    {
      using term = terminal(host, 100, 30)
      await term.shows(/[$#] ?$/m)
      await work(term)
      term.type('exit 7\n')
      await term.shows(/^client ended with 7$/m)
    }
    const ended = (): string | undefined => {
      const line = host.daemon.lines.filter(({ code }) => code === 'SSH_DISCONNECTED')[before]
      return line === undefined ? undefined : String(line.details['connectionId'])
    }
    const name = await until('the end of the connection', ended)
    const read = () => contentsOf(readFileSync(join(directory, name)))
    const isEnded = async () => (await read()).records.at(-1)?.type === 'disconnect'
    await until('the end of the log', isEnded)
    const { records, problems } = await read()
    assert.deepEqual(problems, [])
    return records
  }
  /** `⏎` stands for the end of a line, `⎋` for escape, `⌫` for backspace; the terminal's own answers are left out. */
  const typed = (records: readonly AuditRecord[]): string =>
    records
      .flatMap((each) =>
        each.type === 'io' && each.payload.stream === 0 ? [Buffer.from(each.payload.data ?? [])] : [],
      )
      .join('')
      .replaceAll('\x1b', '⎋')
      .replaceAll(/⎋\[\d+;\d+R/g, '')
      .replaceAll(/[\r\n]/g, '⏎')
      .replaceAll('\x7f', '⌫')

  test('is recorded as it was typed, commands and edits', async () => {
    const records = await recorded(async (term) => {
      term.type('echo "shown:$((6 * 7)):"\n')
      await term.shows(/^shown:42:$/m)
      term.type('echo one tow')
      term.key('BSpace')
      term.key('BSpace')
      term.type('wo\n')
      await term.shows(/^one two$/m)
    })
    const input = typed(records)
    assert.match(input, /^echo "shown:\$\(\(6 \* 7\)\):"⏎echo one tow⌫⌫wo⏎exit 7⏎$/)
  })

  test('is masked where a program asks for a password, in whatever way', async () => {
    const records = await recorded(async (term) => {
      term.type('read -s -p "[sudo] password for bob: " x; echo; echo "length:$(expr length "$x"):"\n')
      await term.shows(/password for bob:$/m)
      for (const key of 'hunter2') term.type(key)
      term.type('\n')
      await term.shows(/^length:7:$/m)
      // No question, no word that would tell.
      term.type('stty -echo; echo "go ahead"; read x; stty echo; echo "size:$(expr length "$x"):"\n')
      await term.shows(/^go ahead$/m)
      term.type('hunter33\n')
      await term.shows(/^size:8:$/m)
      term.type('passwd demo; echo "passwd:$?:"\n')
      await term.shows(/New password:/)
      term.type('hunter444\n')
      await term.shows(/Retype password:/)
      term.type('hunter444\n')
      await term.shows(/^passwd:0:$/m)
      term.type('echo "back:$((6 * 7)):"\n')
      await term.shows(/^back:42:$/m)
    })
    const input = typed(records)
    assert.doesNotMatch(input, /hunter/)
    for (const length of [7, 8, 9]) assert.match(input, new RegExp(`⏎\\*{${length}}⏎`))
    assert.match(input, /⏎passwd demo; echo "passwd:\$\?:"⏎\*{9}⏎\*{9}⏎echo "back:/)
  })

  test('is recorded in an editor that has the whole screen', async () => {
    const records = await recorded(async (term) => {
      term.type('vi /tmp/letter\n')
      await term.shows(/^~$/m)
      term.type('iDear Bob,')
      await term.shows(/^Dear Bob,$/m)
      term.key('Escape')
      await term.shows(/^- /m)
      term.type(':wq\n')
      await until('the file is written', () => !term.showsNow(/^~$/m))
      term.type('cat /tmp/letter; echo "end:$?:"\n')
      await term.shows(/^end:0:$/m)
    })
    assert.match(typed(records), /⏎iDear Bob,⎋:wq⏎cat \/tmp\/letter/)
  })

  test('is masked while a program reads keys that it does not show', async () => {
    const records = await recorded(async (term) => {
      term.type('stty raw -echo; x=$(dd bs=1 count=5 2>/dev/null); stty sane; echo "keys:$(expr length "$x"):"\n')
      await until('the terminal is raw', () => term.showsNow(/keys:.*\n\s*$/m))
      for (const key of 'abcde') term.type(key)
      await term.shows(/^keys:5:$/m)
    })
    assert.match(typed(records), /⏎\*{5}exit 7⏎$/)
  })
})
