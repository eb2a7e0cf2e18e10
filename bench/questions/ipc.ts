import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { Socket } from 'node:net'
import { performance } from 'node:perf_hooks'
import { fileURLToPath } from 'node:url'
import { linkSocket } from '../../src/primary/link-socket.ts'
import { type Order, orders, type Report, reports } from '../../src/shared/ipc/contract.ts'
import { createLink, type Link } from '../../src/shared/ipc/link.ts'
import { type Figures, interleave } from '../measure.ts'
import { endedChildrenMs } from '../proc.ts'
import { ours, type Question, rowsOf } from '../question.ts'

const messages = 200_000
const LINK_FD = 4
const script = fileURLToPath(new URL('../ipc-sender.ts', import.meta.url))
const sides = [{ name: ours }, { name: 'process.send' }]

/** Resolves when so many messages have come, to the time between the first and the last of them, in ms. */
async function receive(side: string, count: number, signal: AbortSignal): Promise<number> {
  const way = side === ours ? 'link' : 'channel'
  const args = [script, way, `${count}`]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc', 'pipe'], signal })
  const done = Promise.withResolvers<void>()
  let [begin, received] = [0, 0]
  const took = (): void => {
    if (received === 0) begin = performance.now()
    received += 1
    if (received === count) done.resolve()
  }
  if (way === 'channel') child.on('message', took)
  else linkTo(child.stdio[LINK_FD], took)
  const exited = once(child, 'exit')
  const early = exited.then(([code]) => {
    if (received < count)
      throw new Error(`${received} of ${count} messages had come when the sender ended with ${code}`)
  })
  await Promise.race([done.promise, early.then(() => done.promise)])
  const spent = performance.now() - begin
  child.kill()
  await exited
  return spent
}

/** As the primary has it. */
function linkTo(pipe: unknown, took: () => void): void {
  if (!(pipe instanceof Socket)) throw new Error('the sender has no pipe')
  const link: Link<Order> = createLink<Order, Report>({
    stream: linkSocket(pipe, (bytes) => link.feed(bytes)),
    outgoing: orders,
    incoming: reports,
    receive: took,
    closed: () => undefined,
  })
  link.phase = 'serving'
}

async function measure(side: string, count: number, signal: AbortSignal): Promise<Figures> {
  const [own, children] = [process.cpuUsage(), endedChildrenMs()]
  const ms = await receive(side, count, signal)
  const { user, system } = process.cpuUsage(own)
  const cpuUs = user + system + (endedChildrenMs() - children) * 1000
  return { perSecond: (count / ms) * 1000, cpuUs: cpuUs / count }
}

export const ipc: Question = {
  name: 'ipc',
  title: 'Messages between processes',
  seconds: 10,
  about:
    `${messages} messages about the end of a connection from a worker to the primary, checked against their contract, over the ` +
    "pipe of frames and over Node's own channel without any check. CPU is that of both processes, the start of the sender included.",
  async run(bench) {
    const count = bench.quick ? messages / 10 : messages
    const rounds = { ...bench, rounds: bench.quick ? 1 : 3, warmUp: 1 }
    const samples = await interleave(sides, rounds, ({ name }) => measure(name, count, bench.signal))
    const rows = rowsOf(samples, [
      { figure: 'perSecond', label: 'messages per second', unit: '/s', better: 'higher' },
      { figure: 'cpuUs', label: 'CPU per message', unit: 'µs' },
    ])
    return { rows, notes: [] }
  },
}
