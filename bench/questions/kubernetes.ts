/** A login to a pod up to the first byte of its program, and bytes through a pod, beside `kubectl exec`. */
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { anyHost } from '../../test/rigs/ssh.ts'
import { bulkBeside } from '../bulk-beside.ts'
import { type BareCluster, bareCluster, prepareCluster } from '../cluster.ts'
import { settle, turns } from '../measure.ts'
import { startWith } from '../ours.ts'
import { cpuMs } from '../proc.ts'
import { type Answer, type Bench, orNote, part, type Question, type RowSpec, rowsOf } from '../question.ts'
import { note, type Sides } from '../samples.ts'
import type { Server } from '../server.ts'
import { until } from '../until.ts'

const rounds = 3
/** Of the cluster, for bytes; its programs are one binary. */
const engine = new Set(['kube', 'etcd', 'containerd', 'containerd-shim'])
const ready = 2
const programLimitMs = 60_000
/** What the one before left for later is over. */
const restMs = 300
/** The kubelet looks at its containers once a second: what waits for that is measured at any moment of the second. */
const lookMs = 1000
/** Each look is a start of kubectl. */
const pollMs = 250

/** A daemon whose pods can be told from those of others. */
interface Ours {
  readonly server: Server
  /** Waits until the cluster is quiet: so many pods, and no more. */
  settled(count: number): Promise<void>
}

async function startOurs(bench: Bench, bare: BareCluster, more: object, stack: AsyncDisposableStack): Promise<Ours> {
  const value = randomBytes(6).toString('hex')
  const config = bare.config(more, { 'containerssh-bench': value })
  const start = startWith({ backend: 'kubernetes', config: { ...config, workers: 2 } })
  const server = stack.use(await start(bench.credentials, bench.signal))
  const label = `containerssh-bench=${value}`
  const settled = async (count: number): Promise<void> => {
    await until(`${count} pods`, bench.signal, async () => (await bare.count(label)) === count, pollMs)
    await settle(server, bench.signal)
  }
  return { server, settled }
}

/** From the start of a client program to the first byte that it prints, in ms; it has to end well. */
function firstByte([program = '', ...args]: readonly string[], signal: AbortSignal): Promise<number> {
  const start = performance.now()
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], signal, timeout: programLimitMs })
  let first: number | undefined
  let complaint = ''
  child.stdout.on('data', () => {
    first ??= performance.now() - start
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint = (complaint + text).slice(-2000)
  })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => {
      if (code === 0 && first !== undefined) resolve(first)
      else reject(new Error(`${program} ended with status ${code}: ${complaint}`))
    })
  })
}

function sshTo({ keyFile, user }: Bench['credentials'], { address }: Server): readonly string[] {
  const [host = '', port = ''] = address.split(':')
  return ['ssh', ...anyHost, '-i', keyFile, '-o', 'BatchMode=yes', '-p', port, `${user}@${host}`, 'echo x']
}

/** CPU time of the daemon for one login and its end, in ms. */
async function costOfLogin({ server }: Ours, signal: AbortSignal, login: () => Promise<number>) {
  const before = cpuMs(server.pid)
  const wallMs = await login()
  await settle(server, signal)
  return { wallMs, cpu: cpuMs(server.pid) - before }
}

async function logins(bench: Bench, bare: BareCluster, running: string, sides: Sides): Promise<void> {
  await using stack = new AsyncDisposableStack()
  const cold = await startOurs(bench, bare, {}, stack)
  const warm = await startOurs(bench, bare, { pool: { min: ready } }, stack)
  const login = (ours: Ours): Promise<number> => firstByte(sshTo(bench.credentials, ours.server), bench.signal)
  const exec = (pod: string): Promise<number> => firstByte(bare.exec(pod, 'echo x', false), bench.signal)
  let left: string | undefined
  // The rest of the time is for bytes.
  for (const round of turns({ ...bench, ...part(bench, 1.5), rounds: bench.quick ? 1 : rounds, warmUp: 1 })) {
    bench.progress(`logins, ${round < 0 ? 'warm-up' : `round ${round + 1}`}`)
    // The pod of the round before goes meanwhile.
    await Promise.all([cold.settled(0), warm.settled(ready), left === undefined ? undefined : bare.remove(left)])
    await sleep(restMs + Math.random() * lookMs)
    const { wallMs, cpu } = await costOfLogin(cold, bench.signal, () => login(cold))
    await sleep(restMs)
    const execMs = await exec(running)
    await sleep(restMs)
    const warmMs = await login(warm)
    await sleep(restMs + Math.random() * lookMs)
    const start = performance.now()
    const pod = await bare.create()
    const runMs = performance.now() - start + (await exec(pod))
    left = pod
    if (round < 0) continue
    note(sides, 'ours', 'cold', wallMs)
    note(sides, 'ours', 'cpu', cpu)
    note(sides, 'ours', 'warm', warmMs)
    note(sides, 'kubectl exec', 'warm', execMs)
    note(sides, 'kubectl run, wait, exec', 'cold', runMs)
  }
}

const rows: readonly RowSpec[] = [
  { figure: 'warm', label: 'login, pod made ahead', unit: 'ms' },
  { figure: 'cold', label: 'login, new pod', unit: 'ms' },
  { figure: 'cpu', label: "daemon's CPU, new pod", unit: 'ms' },
]

async function measure(bench: Bench, cluster: BareCluster): Promise<Answer> {
  await using bare = cluster
  const running = await bare.create()
  const sides: Sides = new Map()
  await logins(bench, bare, running, sides)
  await using stack = new AsyncDisposableStack()
  // One pod for all rounds: to make one is no part of this.
  const { server } = await startOurs(bench, bare, { share: { by: 'user', linger: '30s' } }, stack)
  const peer = {
    name: 'kubectl exec',
    words: (command: string, withInput: boolean) => bare.exec(running, command, withInput),
  }
  const bulk = await bulkBeside(bench, { server, peer, room: 'a pod', bytes: 2 ** 26, engine })
  return { rows: [...rowsOf(sides, rows), ...bulk.rows], notes: bulk.notes }
}

export const kubernetes: Question = {
  name: 'kubernetes',
  title: 'Kubernetes room',
  seconds: 63,
  needs: 'root, etcd and containerd, and the programs of Kubernetes, which are built from their Go modules in minutes',
  prepare: prepareCluster,
  about:
    'From the start of the client program to the first byte of `echo x`: OpenSSH with a new connection and pod each, pods ' +
    'made ahead or not, beside `kubectl exec` in a pod that runs, and `kubectl run`, `wait` and `exec`. One after the other ' +
    'on a cluster of one node at rest. Then one stream of 64 MiB out of a pod and into it, over SSH with aes128-gcm and ' +
    'by `kubectl exec`. All of them go through the API server.',
  run: (bench) => orNote(bench, bareCluster, measure),
}
