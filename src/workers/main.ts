/** A worker process: takes its orders and its connections from the primary, and ends with it. */
import { Socket } from 'node:net'
import { asFault } from '../shared/codes/fault.ts'
import { sleep, within } from '../shared/deadline.ts'
import { type Identity, ownerLabel } from '../shared/identity.ts'
import { handoverOf, LOAD_INTERVAL_MS, type Order, orders, type Report, reports } from '../shared/ipc/contract.ts'
import type { ControlOrder } from '../shared/ipc/control.ts'
import { isTcpHandle, type Remote } from '../shared/ipc/handle.ts'
import { receiveHandles } from '../shared/ipc/handle-channel.ts'
import { createLink, type Link } from '../shared/ipc/link.ts'
import type { Outcome } from '../shared/ipc/outcome.ts'
import { createRecordSender } from '../shared/ipc/record-sender.ts'
import { createLog, type Log } from '../shared/log.ts'
import { watchLoopDelay } from '../shared/metric/loop-delay.ts'
import { replacerOf } from '../shared/pattern.ts'
import { type AuditAnswer, createRecorders, isRecorded } from './audit/index.ts'
import type { RoomFactory } from './backends/index.ts'
import { openRooms, type Rooms } from './backends/rooms.ts'
import { becomeUser } from './become.ts'
import { createControlDesk, isControl } from './control/desk.ts'
import { loadReport, reportLoad } from './load-report.ts'
import { createIntake, type Intake, type IntakeOptions } from './ssh/intake.ts'

/** Place of the message pipe among the worker's file descriptors; see the primary's `worker-process.ts`. */
const LINK_FD = 4
const CONFIGURE_MS = 10_000
const REAP_MS = 60_000
const REAP_AGAIN_MS = 15_000
const REAP_EVERY_MS = 30_000
/** Programs have this long after the death of the primary. */
const ORPHAN_DRAIN_MS = 2000
/** To remove the containers of connections that were cut. */
const DISPOSE_MS = 8000

export interface WorkerOptions {
  /** By the value of `backend` in the configuration. */
  readonly rooms: Readonly<Record<string, RoomFactory>>
  /** Where connections go; a test may have something simpler than SSH. */
  readonly intake?: (options: IntakeOptions) => Intake
}

type Configure = Extract<Order, { kind: 'configure' }>

/** Runs the worker until the primary ends it or dies. Called once, by the module that the process runs. */
export function startWorker(options: WorkerOptions): void {
  let refused: unknown
  try {
    becomeUser(process.argv)
  } catch (error) {
    refused = error
  }
  // Ctrl-C and systemd signal the whole group; the primary decides what becomes of us, and its death ends us too.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined)
  const configured = Promise.withResolvers<Configure>()
  let serving: Serving | undefined
  const obey = (order: Order): void => {
    if (order.kind === 'configure') configured.resolve(order)
    else if (order.kind === 'reap') void serving?.reap()
    else if (order.kind === 'retire') serving?.retire()
    else if (order.kind === 'drain') void serving?.end(order.deadlineMs)
    else if (order.kind === 'admitted' || order.kind === 'refuse') serving?.answer(order)
    else if (isControl(order)) serving?.control(order)
    else serving?.stored(order)
  }
  const orphaned = (): void => {
    if (serving === undefined) process.exit(0)
    void serving.end(ORPHAN_DRAIN_MS)
  }
  const stream = new Socket({ fd: LINK_FD })
  const link = createLink<Report, Order>({
    stream,
    outgoing: reports,
    incoming: orders,
    patient: new Set(['authenticated', 'closed'] as const),
    receive: obey,
    closed: orphaned,
  })
  let number = 0
  const crash = (error: unknown): never => die(link, number, error)
  process.on('uncaughtException', crash)
  process.on('unhandledRejection', crash)
  const start = async (): Promise<void> => {
    if (refused !== undefined) throw refused
    const order = await within('the configuration', CONFIGURE_MS, undefined, () => configured.promise)
    number = order.worker
    serving = await serve(options, order, link, orphaned)
  }
  void start().catch((error: unknown) => fail(link, error))
}

type Answer = Extract<Order, { kind: 'admitted' | 'refuse' }>

interface Serving {
  /** The primary has decided about a proxied connection. */
  answer(order: Answer): void
  /** About the records of a connection. */
  stored(order: AuditAnswer): void
  reap(): Promise<void>
  /** An operator wants to know or do something. */
  control(order: ControlOrder): void
  /** No more connections come. */
  retire(): void
  /** Drains, removes what is left, reports `drained`, exits. Idempotent. */
  end(deadlineMs: number): Promise<void>
}

async function serve(
  options: WorkerOptions,
  order: Configure,
  link: Link<Report>,
  orphaned: () => void,
): Promise<Serving> {
  const { config, hostKeys, instance } = order
  const sender = createRecordSender(link)
  const log = createLog({ level: config.log.level, write: sender.write })
  const identity: Identity = { owner: ownerLabel(), instance }
  const rooms = await openRooms(options.rooms, config, identity, log)
  const events = {
    authenticated: (ticket: number) => link.send({ kind: 'authenticated', ticket }),
    closed: (ticket: number, outcome: Outcome) => link.send({ kind: 'closed', ticket, outcome }),
    source: (ticket: number, { address, port }: Remote) => link.send({ kind: 'source', ticket, address, port }),
  }
  const recorders = isRecorded(config.audit) ? createRecorders(config.audit, link) : undefined
  const start = options.intake ?? createIntake
  const intake = start({ config, hostKeys, log, backend: rooms.main, rooms, events, recorders })
  const desk = createControlDesk(intake.links, link, replacerOf(config.audit.redact, '***'))
  link.send({ kind: 'ready', owner: identity.owner })
  link.phase = 'serving'
  takeConnections(intake, link, orphaned)
  const beat = setInterval(() => {
    sender.flush()
    reportLoad(link, intake)
    desk.look()
  }, LOAD_INTERVAL_MS)
  if (config.metrics.enable) watchLoopDelay()
  const reap = (): Promise<void> => reapTwice(rooms, log)
  void reap()
  const rounds = setInterval(() => void reapOnce(rooms, log), REAP_EVERY_MS)

  let ending: Promise<void> | undefined
  const finish = async (deadlineMs: number): Promise<never> => {
    link.phase = 'draining'
    await intake.drain(AbortSignal.timeout(deadlineMs), deadlineMs)
    clearInterval(rounds)
    await dispose(rooms, log)
    clearInterval(beat)
    sender.flush()
    return leave(link, intake)
  }
  return {
    reap,
    control: desk.obey,
    retire: rooms.retire,
    stored: (order) => recorders?.answered(order),
    answer(order) {
      if (order.kind === 'admitted') intake.admitted(order.ticket, order.country)
      else intake.refuse(order.ticket, order.line)
    },
    end(deadlineMs) {
      ending ??= cut(finish(deadlineMs), deadlineMs + DISPOSE_MS + 2000)
      return ending
    },
  }
}

async function dispose(rooms: Rooms, log: Log): Promise<void> {
  try {
    await within('removing what is left', DISPOSE_MS, undefined, async () => rooms[Symbol.asyncDispose]())
  } catch (error) {
    log.fault(asFault(error))
  }
}

/** Says goodbye and exits. */
async function leave(link: Link<Report>, intake: Intake): Promise<never> {
  link.send(loadReport(link, intake))
  link.send({ kind: 'drained' })
  link.flush()
  await within('the last message', 1000, undefined, () => link.drained()).catch(() => undefined)
  process.exit(0)
}

/** Whatever hangs, the process ends: nobody may be left to kill it. */
async function cut(end: Promise<void>, limitMs: number): Promise<void> {
  await Promise.race([end, sleep(limitMs)])
  process.exit(1)
}

/**
 * Connections are confirmed before they are served, so that the primary can give those that we did not take to another
 * worker should we die, and no client ever meets two servers.
 */
function takeConnections(intake: Intake, link: Link<Report>, orphaned: () => void): void {
  receiveHandles((message, handle) => {
    const handover = handoverOf(message)
    if (handover === undefined || !isTcpHandle(handle)) return
    const { ticket, arrival, proxied } = handover
    link.send({ kind: 'taken', tickets: [ticket] })
    link.flush()
    intake.serve(handle, ticket, arrival, proxied)
  }, orphaned)
}

/** The engine may still be at work for a process that has died: a container can appear after the first look. */
async function reapTwice(rooms: Rooms, log: Log): Promise<void> {
  await reapOnce(rooms, log)
  await sleep(REAP_AGAIN_MS)
  await reapOnce(rooms, log)
}

async function reapOnce(rooms: Rooms, log: Log): Promise<void> {
  try {
    await within('removing orphans', REAP_MS, undefined, (signal) => rooms.reap(signal))
  } catch (error) {
    // The engine may be down; logins will say so. What is left is removed at the next start.
    log.fault(asFault(error), 'warning')
  }
}

/** Cannot start: the primary learns why. */
function fail(link: Link<Report>, error: unknown): never {
  createLog({ level: 'debug', write: (record) => void link.send({ kind: 'failed', record }) }).fault(asFault(error))
  link.flush()
  process.exit(1)
}

function die(link: Link<Report>, worker: number, error: unknown): never {
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error)
  const log = createLog({ level: 'error', write: (record) => void link.send({ kind: 'failed', record }) })
  log.emit('WORKER_CRASHED', { worker, stack: stack.slice(0, 4000) })
  link.flush()
  process.exit(70)
}
