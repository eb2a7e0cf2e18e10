/**
 * The Debian package on a machine with a real systemd: installed, started by its socket, reloaded, upgraded, hung, stopped,
 * removed. One test after the other, as on one machine.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { stringify } from 'yaml'
import { buildPackage } from '../../scripts/deb.ts'
import { until } from '../rigs/daemon.ts'
import { type Live, stay } from '../rigs/live.ts'
import { configFor, noContainersOf, uniqueUser } from '../rigs/login.ts'
import { bootMachine, type Machine } from '../rigs/machine.ts'
import { type Client, client, makeKey } from '../rigs/ssh.ts'

const port = 2222
const hostKey = '/etc/containerssh/ssh_host_ed25519_key'
const many = 50
/** Seconds that systemd waits for a sign of life; the unit's own would make the test long. */
const patience = 16

describe('the service on a machine with systemd', () => {
  let machine: Machine
  let deb: string
  let host: Client
  let live: Live[] = []
  const user = uniqueUser()
  const key = makeKey()
  const show = (property: string): string => machine.run(`systemctl show containerssh -P ${property}`).trim()
  const mainPid = (): number => Number(show('MainPID'))
  const workers = (): number[] =>
    machine.run(`pgrep -P ${mainPid()} -f workers/worker || true`).split('\n').filter(Boolean).map(Number)
  const configure = async (value: string): Promise<void> => {
    const config = await configFor(user, key, { ssh: { listen: `127.0.0.1:${port}`, hostkeys: [hostKey] } })
    const { execution } = config['docker'] as { execution: { container: object } }
    const container = { ...execution.container, env: [`VARIABLE=${value}`] }
    const docker = { ...(config['docker'] as object), execution: { ...execution, container } }
    const control = { group: 'containerssh-ctl' }
    const text = stringify({ ...config, workers: 2, log: { level: 'info' }, docker, control })
    machine.run('cat > /etc/containerssh/config.yaml', text)
  }
  const variable = async (): Promise<string> => {
    const { stdout, stderr } = await host.run(['echo $VARIABLE'])
    return `${stdout.toString().trim()}${stderr}`
  }
  const records = (code: string): Record<string, string>[] =>
    machine
      .run(`journalctl -u containerssh -o json --no-pager CONTAINERSSH_CODE=${code}`)
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Record<string, string>)

  before(async () => {
    deb = buildPackage()
    machine = await bootMachine(['+/var/run/docker.sock', deb])
    host = client(port, key, user, '127.0.0.1', machine.network)
  })
  after(async () => {
    await machine?.[Symbol.asyncDispose]()
    key[Symbol.dispose]()
  })

  test('the package brings users, folders and a host key; without a user who may log in nothing starts', () => {
    machine.run(`dpkg -i ${deb}`)
    assert.match(machine.run('id containerssh-worker'), /groups=\d+\(containerssh-worker\),\d+\(docker\)/)
    assert.doesNotMatch(machine.run('id containerssh'), /docker/)
    assert.equal(
      machine.run(`stat -c '%a %U %G' ${hostKey} /etc/containerssh`),
      '640 root containerssh\n750 root containerssh\n',
    )
    assert.match(machine.run('containerssh --version'), /^ContainerSSH \d/)
    const { status, output } = machine.tries('containerssh check-config --config /etc/containerssh/config.yaml')
    assert.equal(status, 1)
    assert.match(output, /auth/)
  })

  test('its units hold what they promise', () => {
    machine.run(
      'systemd-analyze verify /lib/systemd/system/containerssh.service /lib/systemd/system/containerssh.socket',
    )
    // Of ten, and less is better; 3.0 is written without the point.
    machine.run('systemd-analyze security --threshold=30 containerssh.service')
  })

  test('the first connection starts it, and finds it ready', async () => {
    await configure('first')
    machine.run(
      `mkdir -p /run/systemd/system/containerssh.service.d
       printf '[Service]\\nWatchdogSec=${patience}\\n' > /run/systemd/system/containerssh.service.d/test.conf
       systemctl daemon-reload; systemctl start containerssh.socket`,
    )
    assert.equal(machine.tries('systemctl is-active containerssh').output, 'inactive\n')
    assert.equal(await variable(), 'first')
    assert.equal(machine.run('systemctl is-active containerssh'), 'active\n')
    assert.match(show('StatusText'), /^\d+ connections, 2 workers$/)
  })

  test('workers are a user without rights, who can read neither the host key nor what is recorded', () => {
    const userOf = (...pids: number[]): string => machine.run(`ps -o user:20= -p ${pids.join(',')} | sort -u`).trim()
    assert.equal(userOf(mainPid()), 'containerssh')
    assert.equal(userOf(...workers()), 'containerssh-worker')
    const groups = machine.run('id -G containerssh-worker').trim()
    for (const pid of workers()) {
      const status = machine.run(`cat /proc/${pid}/status`)
      assert.match(status, /^CapPrm:\s*0+\nCapEff:\s*0+\nCapBnd:.*\nCapAmb:\s*0+\nNoNewPrivs:\s*1$/m)
      assert.deepEqual(new Set(/^Groups:\s*(.*)$/m.exec(status)?.[1]?.trim().split(' ')), new Set(groups.split(' ')))
    }
    assert.equal(records('WORKER_STARTED')[0]?.['CONTAINERSSH_USER'], 'containerssh-worker')
    const asWorker = 'setpriv --reuid=containerssh-worker --regid=containerssh-worker --init-groups'
    const folders = ['/var/log/containerssh', '/var/lib/containerssh']
    for (const path of [hostKey, '/etc/containerssh/config.yaml', ...folders]) {
      assert.notEqual(machine.tries(`${asWorker} cp -r ${path} /tmp/${process.pid}`).status, 0, path)
    }
    machine.run(`${asWorker} cat /usr/lib/containerssh/src/workers/worker.ts`)
  })

  test('the control socket is there for its group and for root', () => {
    const place = '/run/containerssh'
    const stat = `stat -L -c '%a %U %G %F'`
    assert.equal(machine.run(`${stat} ${place}/control.sock`), '660 containerssh containerssh-ctl socket\n')
    assert.equal(machine.run(`${stat} ${place}`), '755 containerssh containerssh directory\n')
    assert.match(machine.run('containerssh ctl status'), /^Ready: +yes$/m)
    const as = (groups: string): { status: number; output: string } =>
      machine.tries(`setpriv --reuid 65534 --regid 65534 --groups ${groups} containerssh ctl undrain`)
    assert.equal(as('65534').status, 4)
    assert.deepEqual(as('containerssh-ctl'), { status: 0, output: 'connections are let in again\n' })
    machine.run('containerssh ctl drain')
    assert.match(show('StatusText'), /workers/)
    machine.run('setpriv --reuid 65534 --regid 65534 --groups containerssh-ctl containerssh ctl undrain')
    // What the kernel said of who asked, from inside of the hardening.
    assert.deepEqual(
      ['BEGAN', 'ENDED'].map((end) => records(`CONTROL_DRAIN_${end}`).map((one) => one['CONTAINERSSH_UID'])),
      [['0'], ['65534']],
    )
  })

  test('a reload cuts nobody and holds for new logins', async () => {
    live = Array.from({ length: many }, () => stay(host))
    await Promise.all(live.map((one) => one.answers()))
    const pid = mainPid()
    await configure('reloaded')
    machine.run('systemctl reload containerssh')
    await until('the reload', () => records('CORE_RELOADED').length === 1, 60_000)
    assert.equal(await variable(), 'reloaded')
    assert.equal(mainPid(), pid)
    await Promise.all(live.map((one) => one.answers()))
  })

  test('a configuration that is wrong changes nothing, and systemctl tells of it', async () => {
    machine.run("printf 'ssh: { listen: 7 }' > /etc/containerssh/config.yaml; systemctl reload containerssh")
    await until('the failure', () => show('StatusText').endsWith('the last reload failed'), 60_000)
    assert.equal(await variable(), 'reloaded')
    await Promise.all(live.map((one) => one.answers()))
  })

  test('a new version takes over and cuts nobody; the old one goes with its last session', async () => {
    const old = mainPid()
    await configure('upgraded')
    machine.run(`dpkg -i ${deb}`)
    await until('the new process', () => mainPid() !== old, 90_000)
    assert.equal(await variable(), 'upgraded')
    const status = machine.run('containerssh ctl status 2>&1')
    assert.match(status, new RegExp(`process ${mainPid()}$`, 'm'))
    assert.match(status, new RegExp(`another process \\(${old}\\) still holds ${many} connections`))
    await Promise.all(live.map((one) => one.answers()))
    machine.run(`test -d /proc/${old}`)
    for (const status of await Promise.all(live.map((one) => one.end()))) assert.equal(status, 0)
    await until('the old process to end', () => machine.tries(`test -d /proc/${old}`).status === 1, 60_000)
    assert.equal(await variable(), 'upgraded')
    assert.equal(show('NRestarts'), '0')
    assert.match(show('StatusText'), /workers$/)
  })

  test('a worker that hangs is replaced, and costs its own connections only', async () => {
    const [hung, fine] = workers()
    const both = [stay(host), stay(host)]
    await Promise.all(both.map((one) => one.answers()))
    machine.run(`kill -STOP ${hung}`)
    await until('its end', () => records('WORKER_UNRESPONSIVE').length === 1, 120_000)
    await until('another one', () => workers().length === 2 && !workers().includes(hung ?? 0), 60_000)
    assert.ok(workers().includes(fine ?? 0))
    assert.equal(await variable(), 'upgraded')
    assert.equal(show('NRestarts'), '0')
  })

  test('a primary process that hangs is killed and started again by systemd', async () => {
    const hung = mainPid()
    machine.run(`kill -STOP ${hung}`)
    await until('another one', () => ![hung, 0].includes(mainPid()) && show('SubState') === 'running', 180_000)
    assert.equal(show('NRestarts'), '1')
    assert.equal(await variable(), 'upgraded')
  })

  test('the journal has code, level and labels as fields', () => {
    const logins = records('SSH_AUTH_SUCCESSFUL')
    assert.ok(logins.length > many)
    assert.ok(logins.every((one) => one['CONTAINERSSH_AUTHENTICATED_USERNAME'] === user && one['PRIORITY'] === '6'))
    assert.ok(logins.every((one) => one['_SYSTEMD_UNIT'] === 'containerssh.service'))
  })

  test('it stops within its time while somebody is logged in, and leaves nothing', async () => {
    const one = stay(host)
    await one.answers()
    machine.run('systemctl stop containerssh.socket containerssh.service')
    assert.equal(show('Result'), 'success')
    await noContainersOf(user)
    assert.match(machine.run('systemctl is-failed containerssh || true'), /inactive/)
  })

  test('a purge leaves neither program nor host key', () => {
    machine.run('dpkg --purge containerssh')
    for (const path of ['/usr/lib/containerssh', hostKey, '/lib/systemd/system/containerssh.service']) {
      assert.equal(machine.tries(`test -e ${path}`).status, 1, path)
    }
    assert.equal(machine.tries('systemctl status containerssh').status, 4)
  })
})
