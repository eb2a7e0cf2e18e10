/** One worker process with its three connections to us: Node's channel for handles, the message pipe, its output. */
import cluster, { type Worker } from 'node:cluster'
import { Socket } from 'node:net'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { type Handover, type Order, orders, type Report, reports } from '../shared/ipc/contract.ts'
import type { TcpHandle } from '../shared/ipc/handle.ts'
import { handleSender } from '../shared/ipc/handle-channel.ts'
import { createLink, type Link, ProtocolError } from '../shared/ipc/link.ts'
import type { Log } from '../shared/log.ts'
import { linkSocket } from './link-socket.ts'
import type { Account } from './worker-user.ts'

/** Place of the message pipe among the worker's file descriptors. */
const LINK_FD = 4
/** The pipes are read to their end after the exit, unless somebody else holds them open. */
const PIPES_MS = 1000
/** For a worker that has closed its link to exit by itself. */
const PARTING_MS = 2000
const MAX_LINE = 4096

export interface WorkerEnd {
  readonly exitCode: number | undefined
  readonly signal: string | undefined
}

export interface WorkerProcess {
  readonly number: number
  readonly pid: number
  readonly link: Link<Order>
  /** Passes a connection. The handle stays ours until the worker has reported that it took it. */
  pass(handle: TcpHandle, handover: Handover): void
  /** SIGKILL: everything that needs time was asked for before, over the link. */
  kill(): void
  /** It broke the rules: logs that, and kills it. */
  offend(what: string): void
  /** Resolves when the process has ended and everything it sent has been received. */
  readonly ended: Promise<WorkerEnd>
}

export interface WorkerProcessOptions {
  readonly number: number
  readonly entry: URL
  /** As whom it runs; undefined: as we do. */
  readonly account: Account | undefined
  /** Variables of ours that it does not get. */
  readonly withheld: readonly string[]
  readonly log: Log
  receive(report: Report): void
}

/** @throws Error when the process cannot be started, e.g. for want of memory or descriptors. */
export function startWorkerProcess(options: WorkerProcessOptions): WorkerProcess {
  const { number, account, withheld, log } = options
  cluster.setupPrimary({
    exec: fileURLToPath(options.entry),
    // It becomes that user itself: spawned as one, it would have none of his further groups.
    args: account === undefined ? [] : ['--user', account.name, String(account.uid), String(account.gid)],
    execArgv: [],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc', 'pipe'],
  })
  const worker = cluster.fork(Object.fromEntries(withheld.map((name) => [name, undefined])))
  const child = worker.process
  child.on('error', (error) => log.emit('WORKER_OUTPUT', { worker: number, line: error.message }))
  const pipe = child.stdio[LINK_FD]
  if (!(pipe instanceof Socket) || child.pid === undefined) throw new Error('the worker process did not start')
  const kill = (): void => void child.kill('SIGKILL')
  const offend = (reason: string): void => {
    log.emit('IPC_PROTOCOL_ERROR', { worker: number, reason })
    kill()
  }
  const send = handleSender(child, offend)
  const link: Link<Order> = createLink<Order, Report>({
    stream: linkSocket(pipe, (bytes) => link.feed(bytes)),
    outgoing: orders,
    incoming: reports,
    receive: options.receive,
    closed(error) {
      if (error instanceof ProtocolError) offend(error.message)
      else setTimeout(kill, PARTING_MS).unref()
    },
  })
  for (const output of [child.stdout, child.stderr]) {
    if (output !== null) readLines(output, (line) => log.emit('WORKER_OUTPUT', { worker: number, line }))
  }
  return {
    number,
    pid: child.pid,
    link,
    pass: (handle, handover) => send(handover, handle),
    kill,
    offend,
    ended: endOf(worker),
  }
}

async function endOf(worker: Worker): Promise<WorkerEnd> {
  const child = worker.process
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const end = await new Promise<WorkerEnd>((resolve) => {
    child.once('exit', (code, signal) => resolve({ exitCode: code ?? undefined, signal: signal ?? undefined }))
  })
  const late = Promise.withResolvers<void>()
  const timer = setTimeout(late.resolve, PIPES_MS)
  await Promise.race([closed, late.promise])
  clearTimeout(timer)
  for (const stream of child.stdio) stream?.destroy()
  return end
}

/** Lines of at most MAX_LINE characters; longer ones are cut into several. */
function readLines(output: Readable, take: (line: string) => void): void {
  let rest = ''
  output.setEncoding('utf8')
  output.on('data', (text: string) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    if (rest.length > MAX_LINE) {
      lines.push(rest)
      rest = ''
    }
    for (const line of lines) if (line.trim() !== '') take(line.slice(0, MAX_LINE))
  })
  output.on('error', () => undefined) // the process has gone
  output.on('end', () => {
    if (rest.trim() !== '') take(rest)
  })
}
