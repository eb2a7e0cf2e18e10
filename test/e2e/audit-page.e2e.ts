import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import type { AuditRecord } from '../../src/shared/audit/record.ts'
import { audit, goldenPath, logFile, session } from '../primary/audit-tools/rig.ts'
import { openPage } from '../rigs/browser.ts'
import { connectionId } from '../shared/audit/rig.ts'

const folder = mkdtempSync(join(tmpdir(), 'audit-page-'))
after(() => rmSync(folder, { recursive: true }))

async function pageOf(log: string) {
  const { status, out } = await audit('html', log)
  assert.equal(status, 0)
  const path = join(folder, 'page.html')
  writeFileSync(path, out)
  const url = pathToFileURL(path).href
  return { url, page: await openPage(url) }
}
const screen = "document.getElementById('screen').innerText"
/** The player has a terminal, and plays when it is told to. */
const play = "document.querySelector('.ap-overlay-start, .ap-playback-button').click()"

test('the page of a session plays it in a browser, and asks nobody for anything', async () => {
  const { url, page } = await pageOf(goldenPath('reference-0.6-pty-resize.auditlog'))
  await using _ = page
  await page.becomes("document.querySelector('.ap-overlay-start, .ap-playback-button') !== null")
  await page.evaluate(play)
  await page.becomes(`${screen}.includes('80')`)
  assert.match(
    String(await page.evaluate("document.getElementById('facts').innerText")),
    /User\s+root\s+From\s+127\.0\.0\.1/,
  )
  assert.deepEqual([page.requests.filter((each) => !each.startsWith('data:')), page.complaints], [[url], []])
})

test('each session can be chosen, and nothing that was recorded becomes a part of the page', async () => {
  const evil = '</script><img src=x onerror="document.title=1"><!-- <script>document.title=2</script>'
  const connect: AuditRecord = {
    ...{ connectionId, timestamp: 1_700_000_000_000_000_000n, channelId: null },
    ...({ type: 'connect', payload: { remoteAddr: evil, country: evil } } as const),
  }
  const first = session(2).exec('first').io(1, 'out of the first\nsecond line\n').exit(3)
  const second = session(5).env(evil, evil).pty(100, 30, evil).exec(evil).io(1, `${evil}\r\nof the second`).exit(0)
  const { url, page } = await pageOf(logFile('two', [connect, ...first.records, ...second.records]))
  await using _ = page
  await page.becomes("document.querySelectorAll('nav button').length === 2")
  const buttons = await page.evaluate("[...document.querySelectorAll('nav button')].map((each) => each.textContent)")
  assert.deepEqual(buttons, [
    'Channel 2 · exec: first · exit 3',
    `Channel 5 · exec: ${evil} · terminal ${evil} · exit 0`,
  ])
  await page.becomes("document.querySelector('.ap-overlay-start, .ap-playback-button') !== null")
  await page.evaluate(play)
  await page.becomes(`${screen}.includes('second line')`)
  // A program without a terminal returns no carriage.
  assert.match(String(await page.evaluate(screen)), /^second line/m)
  await page.evaluate("document.querySelectorAll('nav button')[1].click()")
  await page.becomes("document.querySelector('.ap-overlay-start, .ap-playback-button') !== null")
  await page.evaluate(play)
  await page.becomes(`${screen}.includes('of the second')`)
  assert.ok(String(await page.evaluate(screen)).includes('onerror='))
  const left =
    "[document.images.length, document.querySelectorAll('script:not([data-channel])').length, document.title]"
  assert.deepEqual(await page.evaluate(left), [0, 3, '2023-11-14T22:13:20.000000000Z'])
  assert.deepEqual([page.requests.filter((each) => !each.startsWith('data:')), page.complaints], [[url], []])
})

test('a connection without a session has a page that says so', async () => {
  const { page } = await pageOf(goldenPath('reference-0.6-auth-failed.auditlog'))
  await using _ = page
  await page.becomes(`${screen}.includes('There was no session')`)
  assert.deepEqual(page.complaints, [])
})
