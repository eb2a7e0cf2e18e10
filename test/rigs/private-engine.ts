/**
 * A Docker engine of a test's own, to be stopped, killed and started again: other data, other socket, another containerd
 * than the machine's. It has no bridge, so its containers run with the network mode `none`. Needs root.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Certificate } from './certificates.ts'
import { until } from './daemon.ts'
import { call, engine, image } from './docker.ts'

/** It also serves TCP, to clients that show a certificate of the authority. */
export interface EngineTls {
  readonly ca: Certificate
  readonly server: Certificate
}

export interface PrivateEngine extends AsyncDisposable {
  readonly host: string
  /** Of TCP on 127.0.0.1; 0: none. */
  readonly port: number
  readonly socketPath: string
  /** Begins to answer; what ran before a stop or a kill does not run any more. */
  start(): Promise<void>
  /** In order: its containers are stopped first. */
  stop(): Promise<void>
  /** Without a chance to do anything. */
  kill(): Promise<void>
  /** Ids of the containers with this label (`name` or `name=value`), running or not; `''`: all. */
  containers(label: string): Promise<string[]>
}

const startLimitMs = 60_000
const busybox = 'containerssh-test/busybox:1'

export async function privateEngine(tls?: EngineTls): Promise<PrivateEngine> {
  if (process.getuid?.() !== 0) throw new Error('only root can start an engine')
  await engine() // it is installed where it is missing
  const folder = mkdtempSync(join(tmpdir(), 'containerssh-engine-'))
  const socketPath = join(folder, 'docker.sock')
  const logFile = join(folder, 'log')
  const containerd = startContainerd(folder)
  let child: ChildProcess | undefined
  const portFile = join(folder, 'port')

  const args = [
    ...['--data-root', join(folder, 'data'), '--exec-root', join(folder, 'exec'), '--pidfile', join(folder, 'pid')],
    ...['-H', `unix://${socketPath}`, '--bridge=none', '--iptables=false', '--ip-masq=false', '--userland-proxy=false'],
    ...['--containerd', join(folder, 'containerd.sock')],
    ...(tls === undefined ? [] : tlsArguments(tls)),
  ]
  const answers = (): Promise<boolean> =>
    call(socketPath, 'GET', '/_ping').then(
      ({ status }) => status === 200,
      () => false,
    )
  const start = async (): Promise<void> => {
    const log = openSync(logFile, 'a')
    // In a network of its own, because an engine without a bridge removes the machine's docker0. A group of its own: Ctrl-C
    // is the test's.
    const command = ['unshare', '--net', 'dockerd', ...args]
    const [program = '', ...rest] = tls === undefined ? command : ['python3', '-c', door, portFile, ...command]
    const started = spawn(program, rest, { stdio: ['ignore', log, log], detached: true })
    closeSync(log)
    child = started
    await until(
      'the private engine',
      () => {
        if (started.exitCode === null && started.signalCode === null) return answers()
        throw new Error(`dockerd ended:\n${readFileSync(logFile, 'utf8').split('\n').slice(-8).join('\n')}`)
      },
      startLimitMs,
    )
  }
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    const ended = child
    child = undefined
    if (ended === undefined || ended.exitCode !== null || ended.signalCode !== null) return
    const exit = once(ended, 'exit')
    ended.kill(signal)
    await exit
  }
  const containers = async (label: string): Promise<string[]> => {
    const filters = label === '' ? '{}' : JSON.stringify({ label: [label] })
    const { body } = await call(socketPath, 'GET', `/containers/json?all=1&filters=${encodeURIComponent(filters)}`)
    return (JSON.parse(body) as { Id: string }[]).map(({ Id }) => Id)
  }
  await start()
  await copyImage((await engine()).socketPath, socketPath, await image(busybox))
  return {
    host: `unix://${socketPath}`,
    port: tls === undefined ? 0 : Number(readFileSync(portFile, 'utf8')),
    socketPath,
    start,
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
    containers,
    async [Symbol.asyncDispose]() {
      if (child === undefined) await start() // what a killed one left running is ended by the next
      for (const id of await containers('')) await call(socketPath, 'DELETE', `/containers/${id}?force=1&v=1`)
      await end('SIGTERM')
      endForgotten(folder)
      const over = once(containerd, 'exit')
      containerd.kill('SIGTERM')
      await over
      endShims(folder)
      unmount(folder)
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

const tlsArguments = ({ ca, server }: EngineTls): string[] => [
  ...['-H', 'fd://', '--tlsverify', '--tlscacert', ca.certFile],
  ...['--tlscert', server.certFile, '--tlskey', server.keyFile],
]

/** Makes the door to the network outside of the engine's own and hands it over as systemd does (sd_listen_fds(3)). */
const door = `
import os, socket, sys
listening = socket.create_server(("127.0.0.1", 0))
open(sys.argv[1], "w").write(str(listening.getsockname()[1]))
os.dup2(listening.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
os.execvp(sys.argv[2], sys.argv[2:])
`

/** As on a real machine a process of its own, which goes on when the engine is killed. */
function startContainerd(folder: string): ChildProcess {
  const config = join(folder, 'containerd.toml')
  const lines = [
    'version = 2',
    `root = "${folder}/containerd"`,
    `state = "${folder}/containerd-state"`,
    'disabled_plugins = ["io.containerd.grpc.v1.cri"]',
    `[grpc]`,
    `address = "${folder}/containerd.sock"`,
  ]
  writeFileSync(config, lines.join('\n'))
  const log = openSync(join(folder, 'containerd.log'), 'a')
  const child = spawn('containerd', ['--config', config], { stdio: ['ignore', log, log], detached: true })
  closeSync(log)
  return child
}

/** An engine that is killed while it starts a container does not know of it afterwards; containerd does. */
function endForgotten(folder: string): void {
  const containerd = ['--address', join(folder, 'containerd.sock'), '--namespace', 'moby', 'tasks']
  const ctr = (...args: string[]): string => execFileSync('ctr', [...containerd, ...args], { encoding: 'utf8' })
  for (const id of ctr('ls', '--quiet').split('\n').filter(Boolean)) ctr('rm', '--force', id)
}

/** And some that containerd has not got to know yet either. */
function endShims(folder: string): void {
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
      if (words.includes(join(folder, 'containerd.sock'))) process.kill(Number(pid), 'SIGKILL')
    } catch {
      // it has ended
    }
  }
}

/** A killed engine leaves its mounts behind. */
function unmount(folder: string): void {
  const mounts = readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((path) => path.startsWith(`${folder}/`))
  if (mounts.length > 0) execFileSync('umount', ['-l', ...mounts.toReversed()])
}

function copyImage(from: string, to: string, name: string): Promise<void> {
  return new Promise((resolve, reject) => {
    request({ socketPath: from, path: `/images/${name}/get` }, (saved) => {
      const headers = { 'Content-Type': 'application/x-tar' }
      const load = request({ socketPath: to, method: 'POST', path: '/images/load?quiet=1', headers }, (answer) => {
        answer.resume().on('end', () => {
          if (answer.statusCode === 200) resolve()
          else reject(new Error(`loading ${name} gave ${answer.statusCode}`))
        })
      })
      saved.pipe(load.on('error', reject))
    })
      .on('error', reject)
      .end()
  })
}
