/**
 * Installs what the tests need and the machine lacks: Debian packages by apt (as root), ssh-audit, schemathesis and
 * clients by pip into virtual environments under `.cache`, a Go client, an object storage; builds the guest helper. Nothing
 * is installed that is there already; a second run costs milliseconds.
 */
import { existsSync } from 'node:fs'
import { delimiter, resolve } from 'node:path'
import { findGo } from '../../scripts/go.ts'
import { buildGuest } from '../../scripts/guest.ts'
import { installClients } from './clients/install.ts'
import { engine } from './docker.ts'
import { installPromtool } from './promtool.ts'
import { installObjectStorage } from './s3/install.ts'
import { step } from './step.ts'

const cache = resolve(import.meta.dirname, '../../.cache')
export const sshAudit = resolve(cache, 'ssh-audit/bin/ssh-audit')
export const schemathesis = resolve(cache, 'schemathesis/bin/schemathesis')
/** Programs from PyPI, each in an environment of its own with the same name. */
const pythonPrograms: Readonly<Record<string, string>> = { 'ssh-audit': '3.9.0', schemathesis: '4.32.5' }

/** A program on PATH or in the sbin folders, which root's PATH may lack. */
const has = (program: string): boolean =>
  [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin'].some((dir) => existsSync(`${dir}/${program}`))

/** Program to Debian package. */
const packages: Readonly<Record<string, string>> = {
  ssh: 'openssh-client',
  sshd: 'openssh-server',
  dockerd: 'docker.io',
  iptables: 'iptables',
  busybox: 'busybox-static',
  tmux: 'tmux',
  plink: 'putty-tools',
  dbclient: 'dropbear-bin',
  python3: 'python3',
  openssl: 'openssl',
  haproxy: 'haproxy',
  etcd: 'etcd-server',
  containerd: 'containerd',
  'docker-registry': 'docker-registry',
  podman: 'podman',
  catatonit: 'catatonit',
  runc: 'runc',
  bwrap: 'bubblewrap',
  chromium: 'chromium',
  rsyslogd: 'rsyslog',
  journalctl: 'systemd',
  debootstrap: 'debootstrap',
  'systemd-nspawn': 'systemd-container',
}

async function debianPackages(): Promise<void> {
  const missing = Object.entries(packages)
    .filter(([program]) => !has(program))
    .map(([, name]) => name)
  if (missing.length > 0) {
    const env = { DEBIAN_FRONTEND: 'noninteractive' }
    const ok =
      (await step('apt-get update', 'apt-get', ['update', '-qq'], env)) &&
      (await step(
        `apt-get install ${missing.join(' ')}`,
        'apt-get',
        ['install', '-y', '-qq', '--no-install-recommends', ...missing],
        env,
      ))
    if (!ok) throw new Error(`the tests need these Debian packages: ${missing.join(' ')}; install them, or run as root`)
  }
}

async function pythonProgram(name: string, version: string): Promise<void> {
  const venv = resolve(cache, name)
  if (existsSync(`${venv}/bin/${name}`)) return
  const made =
    (await step('python3 -m venv', 'python3', ['-m', 'venv', '--clear', venv])) ||
    ((await step('apt-get install python3-venv', 'apt-get', ['install', '-y', '-qq', 'python3-venv'])) &&
      (await step('python3 -m venv', 'python3', ['-m', 'venv', '--clear', venv])))
  const ok = made && (await step(`pip install ${name}`, `${venv}/bin/pip`, ['install', '-q', `${name}==${version}`]))
  if (!ok) throw new Error(`the tests need ${name} ${version} from PyPI and python3-venv`)
}

async function guestHelper(): Promise<void> {
  const built = await buildGuest(await findGo(resolve(cache, 'bench')))
  for (const path of built) process.stdout.write(`✔ built ${path}\n`)
}

export async function prepare(): Promise<void> {
  await debianPackages()
  for (const [name, version] of Object.entries(pythonPrograms)) await pythonProgram(name, version)
  await installClients()
  await guestHelper()
  await installObjectStorage()
  await installPromtool()
  const { host } = await engine()
  process.stdout.write(`✔ Docker engine at ${host}\n`)
}
