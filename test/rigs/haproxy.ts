/** HAProxy in front of a daemon, listening on both loopback addresses and connecting from 127.0.0.2. */
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../../bench/process.ts'
import { until } from './daemon.ts'

export const proxyAddress = '127.0.0.2'

export interface HaProxy extends AsyncDisposable {
  readonly port: number
}

const configOf = (port: number, server: number, option: string): string => `
global
  maxconn 100
defaults
  mode tcp
  timeout connect 5s
  timeout client 1m
  timeout server 1m
frontend clients
  bind 127.0.0.1:${port}
  bind [::1]:${port}
  default_backend servers
backend servers
  server daemon 127.0.0.1:${server} ${option} source ${proxyAddress}
`

/** `option`: `send-proxy` (version 1) or `send-proxy-v2`, with what belongs to it. */
export async function startHaProxy(server: number, option: string): Promise<HaProxy> {
  const folder = mkdtempSync(join(tmpdir(), 'containerssh-haproxy-'))
  const file = join(folder, 'haproxy.cfg')
  const port = await freePort()
  writeFileSync(file, configOf(port, server, option))
  const child = spawn('haproxy', ['-db', '-f', file], {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin` },
  })
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  await until('haproxy', () => listens(port) || child.exitCode !== null)
  return {
    port,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await exited
      rmSync(folder, { recursive: true })
    },
  }
}

/** Whether somebody listens on 127.0.0.1: asked of the kernel, since a connection would go through to the daemon. */
function listens(port: number): boolean {
  const address = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')} 00000000:0000 0A `
  return readFileSync('/proc/net/tcp', 'utf8').includes(address)
}
