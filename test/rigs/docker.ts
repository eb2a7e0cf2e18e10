/**
 * A real Docker engine and the images of the tests. An engine that answers is used; otherwise, as root on Debian, one is
 * installed and started, and left running for the next test. Safe to call from several test processes at a time.
 */
import { execFileSync, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { findGo } from '../../scripts/go.ts'
import { buildGuest, guestBinary } from '../../scripts/guest.ts'
import { fillDebian } from './debian-root.ts'
import { locked } from './locked.ts'
import { step } from './step.ts'

export interface TestEngine {
  readonly socketPath: string
  /** As `docker.connection.host` wants it. */
  readonly host: string
}

const DEFAULT_HOST = 'unix:///var/run/docker.sock'
const DAEMONS = ['/usr/sbin/dockerd', '/usr/bin/dockerd', '/usr/local/bin/dockerd']

let found: Promise<TestEngine> | undefined
export function engine(): Promise<TestEngine> {
  found ??= locateEngine()
  return found
}

async function locateEngine(): Promise<TestEngine> {
  const host = process.env['DOCKER_HOST'] ?? DEFAULT_HOST
  if (!host.startsWith('unix://')) throw new Error(`the tests need an engine on a unix socket, DOCKER_HOST is ${host}`)
  const located = { host, socketPath: host.slice('unix://'.length) }
  if (await answers(located.socketPath)) return located
  if (host !== DEFAULT_HOST) throw new Error(`no Docker engine answers at ${host}`)
  await locked('engine', async () => {
    if (!(await answers(located.socketPath))) await startEngine(located.socketPath)
  })
  return located
}

async function startEngine(socketPath: string): Promise<void> {
  if (process.getuid?.() !== 0) throw new Error('no Docker engine answers, and only root can start one')
  if (!DAEMONS.some((path) => existsSync(path))) await aptInstall('docker.io', 'iptables')
  const daemon = DAEMONS.find((path) => existsSync(path))
  if (daemon === undefined) throw new Error('docker.io was installed, but there is no dockerd')
  const log = openSync(join(tmpdir(), 'containerssh-test-dockerd.log'), 'a')
  spawn(daemon, [], { detached: true, stdio: ['ignore', log, log] }).unref()
  for (let tries = 0; tries < 600; tries += 1) {
    if (await answers(socketPath)) return
    await sleep(100)
  }
  throw new Error(`dockerd does not answer after 60 s; see ${tmpdir()}/containerssh-test-dockerd.log`)
}

const answers = async (socketPath: string): Promise<boolean> => {
  try {
    return (await call(socketPath, 'GET', '/_ping')).status === 200
  } catch {
    return false
  }
}

async function aptInstall(...packages: string[]): Promise<void> {
  const env = { DEBIAN_FRONTEND: 'noninteractive' }
  const args = ['install', '-y', '-qq', '--no-install-recommends', ...packages]
  const done =
    (await step('apt-get update', 'apt-get', ['update', '-qq'], env)) &&
    (await step(`apt-get install ${packages.join(' ')}`, 'apt-get', args, env))
  if (!done)
    throw new Error(`the tests need these Debian packages: ${packages.join(' ')}; install them, or run as root`)
}

/** One call to the engine; the whole answer. */
export function call(
  socketPath: string,
  method: string,
  path: string,
  body?: Uint8Array | object,
  more: Readonly<Record<string, string>> = {},
): Promise<{ status: number; body: string }> {
  const bytes = body instanceof Uint8Array ? body : body === undefined ? undefined : Buffer.from(JSON.stringify(body))
  const type = body instanceof Uint8Array ? 'application/x-tar' : 'application/json'
  return new Promise((resolve, reject) => {
    const own = bytes === undefined ? {} : { 'Content-Type': type, 'Content-Length': bytes.length }
    const headers = { ...own, ...more }
    const outgoing = request({ socketPath, method, path, headers, timeout: 120_000 }, (answer) => {
      let text = ''
      answer.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk
      })
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body: text })).on('error', reject)
    })
    outgoing.on('error', reject).on('timeout', () => outgoing.destroy(new Error(`${method} ${path}: no answer`)))
    outgoing.end(bytes)
  })
}

/**
 * `busybox`: all applets, an sftp server, the users root and demo. `agent`: the same with the guest helper. `debian`:
 * bash, coreutils, an sftp server and the guest helper. `noshell`: one static program, `/busybox`.
 */
export type TestImage = `containerssh-test/${'busybox' | 'agent' | 'debian' | 'noshell'}:1`
const withGuest: readonly TestImage[] = ['containerssh-test/agent:1', 'containerssh-test/debian:1']

const built = new Map<TestImage, Promise<string>>()
/** Builds the image unless the engine has it in its present form. Resolves with the name. */
export function image(name: TestImage): Promise<string> {
  const known = built.get(name) ?? buildImage(name)
  built.set(name, known)
  return known
}

async function buildImage(name: TestImage): Promise<string> {
  const { socketPath } = await engine()
  if (!existsSync(BUSYBOX)) await locked('apt', () => aptInstall('busybox-static'))
  if (withGuest.includes(name)) await buildGuest(await findGo(resolve(GUEST, '../../bench')))
  const content = contentHash(name)
  await locked(name, async () => {
    const present = await call(socketPath, 'GET', `/images/${name}/json`)
    if (present.status === 200 && present.body.includes(content)) return
    const folder = mkdtempSync(join(tmpdir(), 'containerssh-image-'))
    try {
      fill(name, folder)
      const tar = execFileSync('tar', ['-c', '--numeric-owner', '--owner=0', '--group=0', '-C', folder, '.'], {
        maxBuffer: 256 << 20,
      })
      const [repo = '', tag = ''] = name.split(':')
      const query = new URLSearchParams({ fromSrc: '-', repo, tag, changes: `LABEL containerssh-test=${content}` })
      const answer = await call(socketPath, 'POST', `/images/create?${query}`, tar)
      if (answer.status !== 200 || answer.body.includes('"error"'))
        throw new Error(`cannot import ${name}: ${answer.body}`)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })
  return name
}

const BUSYBOX = '/bin/busybox'
const SFTP_SERVER = '/usr/lib/openssh/sftp-server'
/** The engine runs on this machine. */
const GUEST = guestBinary(process.arch === 'arm64' ? 'arm64' : 'amd64')

/** Of everything that goes into an image: the programs of this machine and this file. */
function contentHash(name: TestImage): string {
  const hash = createHash('sha256').update(name)
  const guest = withGuest.includes(name) ? [GUEST] : []
  for (const path of [import.meta.filename, BUSYBOX, SFTP_SERVER, ...guest]) {
    if (existsSync(path)) hash.update(readFileSync(path))
  }
  return hash.digest('hex')
}

function fill(name: TestImage, root: string): void {
  if (name === 'containerssh-test/noshell:1') copyFileSync(BUSYBOX, join(root, 'busybox'))
  else if (name === 'containerssh-test/debian:1') fillDebian(root)
  else fillBusybox(root)
  if (!withGuest.includes(name)) return
  mkdirSync(join(root, 'usr/bin'), { recursive: true })
  copyFileSync(GUEST, join(root, 'usr/bin/containerssh-agent'))
}

function fillBusybox(root: string): void {
  for (const folder of ['bin', 'etc', 'root', 'tmp', 'var/tmp', 'home/demo', 'proc', 'sys', 'dev']) {
    mkdirSync(join(root, folder), { recursive: true })
  }
  copyFileSync(BUSYBOX, join(root, 'bin/busybox'))
  for (const applet of execFileSync(BUSYBOX, ['--list'], { encoding: 'utf8' }).trim().split('\n')) {
    if (applet !== 'busybox') symlinkSync('busybox', join(root, 'bin', applet))
  }
  writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\ndemo:x:1000:1000:demo:/home/demo:/bin/sh\n')
  writeFileSync(join(root, 'etc/group'), 'root:x:0:\ndemo:x:1000:\n')
  execFileSync('chmod', ['1777', join(root, 'tmp'), join(root, 'var/tmp')])
  execFileSync('chmod', ['0777', join(root, 'home/demo')])
  if (existsSync(SFTP_SERVER)) for (const path of [SFTP_SERVER, ...librariesOf(SFTP_SERVER)]) copyInto(root, path)
}

function copyInto(root: string, path: string): void {
  mkdirSync(join(root, dirname(path)), { recursive: true })
  copyFileSync(path, join(root, path)) // follows links, keeps the mode
}

/** The shared libraries of a program and its loader, as absolute paths. */
const librariesOf = (program: string): string[] =>
  [...execFileSync('ldd', [program], { encoding: 'utf8' }).matchAll(/(?:=> )?(\/\S+) \(0x/g)].map(
    (match) => match[1] ?? '',
  )
