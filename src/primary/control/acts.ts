/** What operators can ask for, one function for each. What shows or changes something of a session is logged. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { version } from '../package.ts'
import { connectionsOf, findConnection } from './connections.ts'
import type { ControlOptions } from './index.ts'
import { operatorOf } from './operator.ts'
import { askOthers } from './others.ts'
import { streamOutput } from './output-stream.ts'
import { bodyOf, emptyBody, killBody, messageBody, RequestError, sendJson } from './requests.ts'
import type { Located } from './switchboard.ts'
import { type ConnectionView, connectionView, type ListView, type StatusView, type WorkerView } from './views.ts'

export interface Asked {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly query: URLSearchParams
  /** What the path names. */
  readonly name: string
}
/** Resolves to the answer; undefined: it was given. @throws RequestError, DeadlineError */
export type Act = (options: ControlOptions, asked: Asked) => Promise<object | undefined>

const MOST_WATCHES = 16
const MOST_WATCHES_OF_ONE = 4
const startedAt = new Date(Date.now() - process.uptime() * 1000).toISOString()

export const status: Act = async ({ path, ssh, isReady }, { query }): Promise<StatusView> => ({
  version: version(),
  pid: process.pid,
  startedAt,
  ready: isReady(),
  draining: ssh.isDraining,
  connections: ssh.connections,
  workers: ssh.fleet.workers.length,
  missingWorkers: ssh.fleet.missing,
  others: query.get('others') === 'no' ? [] : await askOthers(path),
})

export const list: Act = async ({ path, ssh }): Promise<ListView> => {
  const [{ connections, silent }, others] = await Promise.all([ssh.switchboard.list(), askOthers(path)])
  const now = Date.now()
  const views = connections.map((one) => connectionView(one, now))
  return { connections: views.sort(byTime), silentWorkers: silent, others }
}

const byTime = (a: ConnectionView, b: ConnectionView): number => (a.connectedAt < b.connectedAt ? -1 : 1)

export const show: Act = async ({ ssh }, { name }) => connectionView(await findConnection(ssh.switchboard, name))

export const workers: Act = async ({ ssh }) => ({
  workers: ssh.fleet.workers.map(
    ({ number, pid, stage, phase, connections, queuedBytes, reported }): WorkerView => ({
      ...{ worker: number, pid, stage, phase, connections, queuedBytes },
      residentBytes: reported?.containerssh_process_resident_memory_bytes ?? null,
      roomsAhead: reported?.containerssh_worker_pool_containers ?? null,
    }),
  ),
  missing: ssh.fleet.missing,
})

export const metrics: Act = async ({ measure }) => measure()

export const watch: Act = async ({ ssh: { switchboard }, log }, { request, response, query, name }) => {
  const channel = channelOf(query.get('channel'))
  const where = await findConnection(switchboard, name)
  if (where.username === '') throw new RequestError('refused', `nobody has logged in at connection ${name} yet`)
  if (switchboard.watching() >= MOST_WATCHES) throw new RequestError('busy', `${MOST_WATCHES} watch already`)
  if (switchboard.watching(where.ticket) >= MOST_WATCHES_OF_ONE) {
    throw new RequestError('busy', `${MOST_WATCHES_OF_ONE} watch this connection already`)
  }
  const labels = { ...(await operatorOf(request)), ...labelsOf(where) }
  const began = (): void =>
    log.emit('CONTROL_WATCH_BEGAN', { ...labels, ...(channel === -1 ? {} : { channelId: channel }) })
  const streamed = await streamOutput(switchboard, where, channel, response, began)
  if (streamed === undefined) throw isOver(where)
  log.emit('CONTROL_WATCH_ENDED', { ...labels, ...streamed })
  return undefined
}

export const message: Act = async ({ ssh: { switchboard }, log }, { request, name }) => {
  const { text, stderr } = await bodyOf(request, messageBody)
  const where = await findConnection(switchboard, name)
  const programs = await switchboard.tell(where, text, stderr)
  log.emit('CONTROL_MESSAGE_SENT', { ...(await operatorOf(request)), ...labelsOf(where), text, programs })
  if (programs > 0) return { programs }
  const hint = stderr ? 'no program that has a standard error' : 'no terminal; to write to standard error, say so'
  throw new RequestError('refused', `connection ${where.connectionId} has ${hint}, or it takes nothing at the moment`)
}

export const kill: Act = async (options, { request, name }) => {
  const { reason } = await bodyOf(request, killBody)
  const where = await findConnection(options.ssh.switchboard, name)
  if (!(await expel(options, request, where, reason))) throw isOver(where)
  return { killed: [where.connectionId] }
}

export const killUser: Act = async (options, { request, name }) => {
  const { reason } = await bodyOf(request, killBody)
  const all = await connectionsOf(options.ssh.switchboard, name)
  const ends = await Promise.allSettled(all.map((where) => expel(options, request, where, reason)))
  const failure = ends.find((end) => end.status === 'rejected')
  if (failure !== undefined) throw failure.reason
  return { killed: all.filter((_, index) => ends[index]?.status === 'fulfilled').map((one) => one.connectionId) }
}

const expel = async (
  { ssh: { switchboard }, log }: ControlOptions,
  request: IncomingMessage,
  where: Located,
  reason: string,
): Promise<boolean> => {
  const text = reason === '' ? 'an administrator ended this connection' : reason
  const isEnded = await switchboard.expel(where, text)
  if (isEnded) log.emit('CONTROL_KILLED', { ...(await operatorOf(request)), ...labelsOf(where), reason: text })
  return isEnded
}

const drainTo =
  (on: boolean): Act =>
  async ({ ssh, log }, { request }) => {
    await bodyOf(request, emptyBody)
    const operator = await operatorOf(request)
    const { connections } = ssh
    if (ssh.isDraining !== on) {
      ssh.isDraining = on
      if (on) log.emit('CONTROL_DRAIN_BEGAN', { ...operator, connections })
      else log.emit('CONTROL_DRAIN_ENDED', operator)
    }
    return { draining: on, connections }
  }
export const drain = drainTo(true)
export const undrain = drainTo(false)

const labelsOf = ({ connectionId, username }: Located) => ({ connectionId, username })
const isOver = ({ connectionId }: Located): RequestError =>
  new RequestError('unknown', `the connection ${connectionId} is over already`)

/** @throws RequestError */
function channelOf(text: string | null): number {
  if (text === null) return -1
  if (!/^\d{1,9}$/.test(text)) throw new RequestError('malformed', `${text} is not the number of a channel`)
  return Number(text)
}

/** Writes the answer of an act, or of what was thrown in its place. */
export async function perform(act: Act, options: ControlOptions, asked: Asked): Promise<void> {
  const answer = await act(options, asked)
  if (answer !== undefined) sendJson(asked.response, 200, answer)
}
