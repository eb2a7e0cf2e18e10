import assert from 'node:assert/strict'
import { test } from 'node:test'
import { until } from '../rigs/daemon.ts'
import { startJournald } from '../rigs/journald.ts'
import { login } from '../rigs/login.ts'
import { knock, startQuietDaemon } from '../rigs/quiet-daemon.ts'

test('a service of systemd: its standard output gives the journal a field for each label, of the workers, too', async () => {
  await using journald = await startJournald()
  const stdout = await journald.stdout('service')
  const setStream = 'exec 3>&1; export JOURNAL_STREAM="$(stat -L -c %d:%i /proc/$$/fd/3)"; exec 3>&-; exec "$@"'
  await using daemon = await startQuietDaemon({
    log: { journald: { socket: journald.socket } },
    stdio: ['ignore', stdout, 'pipe'],
    wrapper: ['sh', '-c', setStream, 'sh'],
  })
  stdout.destroy()
  const { code } = await daemon.client.run(['exit 3'])
  assert.equal(code, 3)
  assert.equal(await daemon.stop(), 0)
  const entries = (wanted: string) =>
    journald.entries('containerssh').filter((entry) => entry['CONTAINERSSH_CODE'] === wanted)
  await until('the last entry', () => entries('SERVICE_POOL_STOPPED').length === 1)
  const [success] = entries('SSH_AUTH_SUCCESSFUL')
  assert.equal(success?.['CONTAINERSSH_REMOTE_ADDR'], '127.0.0.1')
  assert.equal(success['CONTAINERSSH_USERNAME'], daemon.client.user)
  assert.match(success['CONTAINERSSH_CONNECTION_ID'] ?? '', /^[0-9a-f]{32}$/)
  assert.equal(success['PRIORITY'], '6')
  assert.equal(success['_PID'], String(daemon.child.pid))
  assert.equal(JSON.parse(success['MESSAGE'] ?? '').code, 'SSH_AUTH_SUCCESSFUL')
  assert.equal(entries('SSH_EXIT')[0]?.['CONTAINERSSH_EXIT_CODE'], '3')
  assert.deepEqual(journald.entries('service'), [])
})

test('a flood from one source is written up to the limit, and then counted; its logins are written all the same', async () => {
  const flood = { records: 5, interval: '2s' }
  await using host = await login({ config: { log: { level: 'debug', flood } } })
  const { daemon, client } = host
  await knock(daemon.port, 40)
  await daemon.line('LOG_RECORDS_SUPPRESSED', ({ details }) => details['suppressed'] === 'SSH_DISCONNECTED')
  const of = (code: string) => daemon.lines.filter((line) => line.code === code)
  const suppressed = () =>
    of('LOG_RECORDS_SUPPRESSED').filter(({ details }) => details['suppressed'] === 'SSH_CONNECTED')
  const counted = () => suppressed().reduce((sum, { details }) => sum + Number(details['count']), 0)
  await until('all to be written or counted', () => of('SSH_CONNECTED').length + counted() === 40)
  assert.equal(suppressed()[0]?.level, 'debug')
  assert.equal(suppressed()[0]?.details['source'], '127.0.0.1')
  const mallory = { options: ['-l', 'mallory'] }
  await Promise.all(Array.from({ length: 10 }, () => client.run(['true'], mallory)))
  await until('every refused login', () => of('SSH_AUTH_FAILED').length >= 10)
})
