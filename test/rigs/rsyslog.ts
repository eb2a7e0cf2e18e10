/** rsyslogd with a configuration of its own, which listens on everything that it can and writes what it understood. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../../bench/process.ts'
import { until } from './daemon.ts'

/** What rsyslog took from one message. */
export interface Received {
  readonly pri: string
  readonly hostname: string
  readonly program: string
  readonly tag: string
  readonly procid: string
  readonly msgid: string
  readonly sd: string
  readonly version: string
  readonly msg: string
  readonly input: string
}

export interface Rsyslog {
  /** Its sockets, as `log.syslog.destination`. */
  readonly datagram: string
  readonly stream: string
  readonly udp: string
  readonly tcp: string
  /** What it has written so far. */
  received(): Received[]
  stop(): Promise<void>
  /** On the same sockets. */
  start(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

export async function startRsyslog(): Promise<Rsyslog> {
  const folder = mkdtempSync(join(tmpdir(), 'containerssh-rsyslog-'))
  const path = (name: string): string => join(folder, name)
  const port = await freePort()
  writeFileSync(path('conf'), configuration(folder, port))
  let daemon: ReturnType<typeof spawn> | undefined

  const start = async (): Promise<void> => {
    const args = ['-n', '-f', path('conf'), '-i', path('pid')]
    daemon = spawn('rsyslogd', args, { env: { PATH: '/usr/sbin:/usr/bin' }, stdio: 'ignore' })
    await until('rsyslogd to listen', () => existsSync(path('datagram')) && existsSync(path('stream')), 30_000)
    await until('rsyslogd to listen on TCP', () => listens(port), 30_000)
  }
  const stop = async (): Promise<void> => {
    if (daemon === undefined || daemon.exitCode !== null || daemon.signalCode !== null) return
    daemon.kill('SIGTERM')
    await once(daemon, 'exit')
    for (const socket of ['datagram', 'stream']) rmSync(path(socket), { force: true })
  }
  await start()
  return {
    datagram: path('datagram'),
    stream: path('stream'),
    udp: `127.0.0.1:${port}`,
    tcp: `tcp://127.0.0.1:${port}`,
    received: () =>
      existsSync(path('out'))
        ? readFileSync(path('out'), 'utf8')
            .split('\n')
            .slice(0, -1) // the last one may be half written
            .map((line) => JSON.parse(line) as Received)
        : [],
    start,
    stop,
    async [Symbol.asyncDispose]() {
      await stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

const configuration = (folder: string, port: number): string => {
  const fields = {
    pri: 'pri',
    hostname: 'hostname',
    program: 'programname',
    tag: 'syslogtag',
    procid: 'procid',
    msgid: 'msgid',
    sd: 'structured-data',
    version: 'protocol-version',
    msg: 'msg',
    input: 'inputname',
  }
  const properties = Object.entries(fields)
    .map(([outname, name]) => `property(outname="${outname}" name="${name}" format="jsonf")`)
    .join('\n  ')
  return `
global(workDirectory="${folder}" maxMessageSize="64k" net.enableDNS="off")
template(name="all" type="list" option.jsonf="on") {
  ${properties}
}
module(load="imuxsock" SysSock.Use="off")
module(load="imudp")
module(load="imtcp")
module(load="imptcp")
input(type="imuxsock" Socket="${folder}/datagram" RateLimit.Interval="0")
input(type="imudp" address="127.0.0.1" port="${port}")
input(type="imtcp" address="127.0.0.1" port="${port}")
input(type="imptcp" path="${folder}/stream" unlink="on" name="imptcp")
action(type="omfile" file="${folder}/out" template="all")
`
}

/** From the kernel's table, so that the daemon sees no connection. */
function listens(port: number): boolean {
  const wanted = `:${port.toString(16).toUpperCase().padStart(4, '0')} 00000000:0000 0A`
  return readFileSync('/proc/net/tcp', 'utf8').includes(wanted)
}
