import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { workerUserOf } from '../../src/primary/worker-user.ts'
import { defaults } from '../../src/shared/config/schema.ts'
import { createLog, type LogRecord } from '../../src/shared/log.ts'

const folder = mkdtempSync(join(tmpdir(), 'containerssh-user-'))
after(() => rmSync(folder, { recursive: true }))
chmodSync(folder, 0o755)
const [open, closed] = [join(folder, 'open'), join(folder, 'closed')]
for (const path of [open, closed, join(closed, 'inner')]) mkdirSync(path, { mode: 0o755 })
chmodSync(closed, 0o700)
const [accounts, others] = [join(folder, 'passwd'), join(folder, 'others')]
writeFileSync(others, 'root:x:0:0::/:/bin/sh\n')
writeFileSync(accounts, 'root:x:0:0::/:/bin/sh\ncontainerssh-worker:x:64321:64322::/:/bin/sh\nother:x:7:8::/:/bin/sh\n')

/** Only root may become somebody else. */
const skip = process.getuid?.() !== 0 && 'needs root'

function ask(workerUser: string, more: { program?: string; accounts?: string } = {}) {
  const records: LogRecord[] = []
  const log = createLog({ level: 'debug', write: (record) => records.push(record) })
  const options = { configPath: '/etc/config.yaml', log, program: open, accounts, ...more }
  return { account: workerUserOf({ ...defaults(), workerUser }, options), records }
}

test('workers are the user of the configuration, and without one that of the package', { skip }, () => {
  assert.deepEqual(ask('').account, { name: 'containerssh-worker', uid: 64_321, gid: 64_322 })
  assert.deepEqual(ask('other').account, { name: 'other', uid: 7, gid: 8 })
  assert.deepEqual(ask('other').records, [])
})

test('where there is no such user, or it could not load the program, they stay who they are, and the log says why', {
  skip,
}, () => {
  for (const [more, reason] of [
    [{ accounts: others }, /does not exist/],
    [{ accounts: join(folder, 'missing') }, /does not exist/],
    [{ program: join(closed, 'inner') }, /cannot read .*\/closed, and so/],
  ] as const) {
    const { account, records } = ask('', more)
    assert.equal(account, undefined)
    assert.deepEqual(
      records.map(({ code }) => code),
      ['WORKER_USER_SHARED'],
    )
    assert.match(String(records[0]?.message), reason)
  }
})

test('a configured user that cannot be had is an error, not another user', { skip }, () => {
  const at =
    (name: string, more = {}) =>
    () =>
      ask(name, more)
  assert.throws(at('nobody-knows-me'), /workerUser: "nobody-knows-me" does not exist/)
  assert.throws(at('root'), /workerUser: "root" is root/)
  assert.throws(at('other', { program: join(closed, 'inner') }), /workerUser: "other" cannot read/)
})
