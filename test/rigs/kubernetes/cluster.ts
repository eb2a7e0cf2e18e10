/**
 * A real Kubernetes cluster of one node on loopback: etcd, API server, controllers, scheduler, containerd, kubelet.
 * `KUBECONFIG` names another cluster to be used instead.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../../../bench/process.ts'
import { buildPrograms } from './binary.ts'
import { importImages } from './images.ts'
import { adminToken, makePki } from './pki.ts'
import { apiserver, type Command, containerd, controllers, etcd, kubelet, type Layout, scheduler } from './programs.ts'
import { clean, sysctls } from './stop.ts'

export interface Cluster {
  /** Of somebody who may do everything. */
  readonly kubeconfig: string
  /** Undefined: the cluster is not ours. */
  readonly own: OwnCluster | undefined
}
export interface StartedCluster extends Cluster, AsyncDisposable {}
export interface OwnCluster {
  readonly server: string
  /** File with the certificate of the cluster's authority. */
  readonly ca: string
  readonly layout: Layout
  /** Ends a program as a crash would, or starts it again. */
  kill(name: ProgramName): Promise<void>
  start(name: ProgramName): Promise<void>
}
const programs = { etcd, containerd, apiserver, kubelet, controllers, scheduler } as const
export type ProgramName = keyof typeof programs

const startMs = 60_000

export interface ClusterOptions {
  /** Images of the engine that pods may have, besides those of the tests' users. */
  readonly images?: readonly string[]
}

export async function startCluster({ images = [] }: ClusterOptions = {}): Promise<StartedCluster> {
  const { KUBECONFIG } = process.env
  if (KUBECONFIG !== undefined && KUBECONFIG !== '') {
    return { kubeconfig: KUBECONFIG, own: undefined, [Symbol.asyncDispose]: async () => undefined }
  }
  const built = await buildPrograms()
  const folder = mkdtempSync(join(tmpdir(), 'containerssh-cluster-'))
  for (const name of ['pki', 'log', 'cni/net.d']) mkdirSync(join(folder, name), { recursive: true })
  const layout = await layoutOf(folder, built.kube)
  const server = `https://127.0.0.1:${layout.ports.api}`
  makePki(join(folder, 'pki'), server)
  const restore = sysctls()
  const running = new Map<ProgramName, ChildProcess>()
  const start = async (name: ProgramName): Promise<void> =>
    void running.set(name, launch(folder, programs[name](layout)))
  const kill = async (name: ProgramName): Promise<void> => {
    const child = running.get(name)
    running.delete(name)
    if (child !== undefined) await ended(child, 'SIGKILL')
  }
  const stop = async (): Promise<void> => {
    for (const name of ['scheduler', 'controllers', 'kubelet'] as const) await kill(name)
    await clean(layout)
    for (const name of ['apiserver', 'containerd', 'etcd'] as const) await kill(name)
    await clean(layout)
    restore()
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    for (const name of ['etcd', 'apiserver', 'containerd'] as const) await start(name)
    await importImages(folder, built.pause, images)
    const ask = asker(server, join(folder, 'pki/ca.crt'))
    await until(folder, 'the API server', async () => (await ask('/readyz')) === 'ok')
    for (const name of ['kubelet', 'controllers', 'scheduler'] as const) await start(name)
    await until(folder, 'the node', async () => isReady(JSON.parse((await ask('/api/v1/nodes/localhost')) ?? '{}')))
    const namespace = '/api/v1/namespaces/default'
    for (const path of ['/serviceaccounts/default', '/configmaps/kube-root-ca.crt']) {
      await until(folder, path, async () => (await ask(namespace + path)) !== undefined)
    }
  } catch (error) {
    await stop()
    throw error
  }
  const ca = join(folder, 'pki/ca.crt')
  return {
    kubeconfig: join(folder, 'pki/admin.kubeconfig'),
    own: { server, ca, layout, kill, start },
    [Symbol.asyncDispose]: stop,
  }
}

async function layoutOf(folder: string, kube: string): Promise<Layout> {
  const ports = {
    etcd: await freePort(),
    etcdPeer: await freePort(),
    api: await freePort(),
    kubelet: await freePort(),
  }
  // One of 65,000 networks that hardly anybody uses, so that two clusters at a time do not meet.
  const number = ports.api
  return { folder, kube, ports, bridge: `rig${number}`, subnet: `10.${128 + (number >> 9)}.${number & 0xff}` }
}

function launch(folder: string, [name, program, ...args]: Command): ChildProcess {
  const log = openSync(join(folder, 'log', `${name}.log`), 'a')
  const child = spawn(program, args, { cwd: folder, stdio: ['ignore', log, log] })
  // A test that dies takes its cluster with it.
  process.on('exit', () => child.kill('SIGKILL'))
  child.on('error', (error) => process.stderr.write(`${name}: ${error.message}\n`))
  return child
}

async function ended(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  child.kill(signal)
  await gone
}

/** The body of a 200, or undefined. */
const asker = (server: string, caFile: string) => {
  const ca = readFileSync(caFile)
  return (path: string): Promise<string | undefined> =>
    new Promise((resolve) => {
      const headers = { authorization: `Bearer ${adminToken}` }
      const outgoing = request(server + path, { ca, headers, timeout: 5000, agent: false }, (answer) => {
        let body = ''
        answer.setEncoding('utf8').on('data', (text: string) => {
          body += text
        })
        answer.on('end', () => resolve(answer.statusCode === 200 ? body : undefined))
        answer.on('error', () => resolve(undefined))
      })
      outgoing.on('error', () => resolve(undefined)).on('timeout', () => outgoing.destroy())
      outgoing.end()
    })
}

interface Node {
  readonly spec?: { readonly taints?: readonly object[] }
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] }
}
/** The controllers take the taint of a new node away a moment after it is ready. */
const isReady = ({ spec, status }: Node): boolean =>
  spec?.taints === undefined &&
  status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true

async function until(folder: string, what: string, holds: () => Promise<boolean>): Promise<void> {
  const limit = Date.now() + startMs
  while (!(await holds())) {
    if (Date.now() > limit) throw new Error(`${what} was not ready after ${startMs / 1000} s; see ${folder}/log`)
    await sleep(100)
  }
}
