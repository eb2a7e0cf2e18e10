/** `containerssh ctl …`: asks the daemon that runs, and prints what it says. */
import { ConfigErrors, loadConfig } from '../../shared/config/load.ts'
import type { MetricsView } from '../control/measure.ts'
import { controlPathOf } from '../control/socket.ts'
import type { ConnectionView, ListView, StatusView, WorkerView } from '../control/views.ts'
import type { CtlAction, CtlBasics } from './arguments.ts'
import { ask, CtlError, type Question } from './client.ts'
import { asides, listText, metricsText, showText, statusText, workersText } from './text.ts'
import { type Console, watch } from './watch.ts'

/** Resolves to the exit status. */
export async function ctlCommand(
  action: CtlAction,
  print: (text: string) => void,
  tell: (line: string) => void,
  streams: Omit<Console, 'tell'> = { input: process.stdin, output: process.stdout },
): Promise<number> {
  try {
    const socket = await socketOf(action)
    if (action.verb === 'watch') return await watch(socket, action, { ...streams, tell })
    const { text, lines } = await answer(socket, action)
    print(text)
    for (const line of lines) tell(`${line}\n`)
    return 0
  } catch (error) {
    if (!(error instanceof CtlError)) throw error
    tell(`${error.message}\n`)
    return error.exitStatus
  }
}

/** @throws CtlError */
async function socketOf({ config, socket }: CtlBasics): Promise<string> {
  if (config === undefined) return socket
  try {
    const { control } = (await loadConfig(config, { onlyParse: true })).config
    const path = controlPathOf(control, { RUNTIME_DIRECTORY: '/run/containerssh', ...process.env })
    if (path === undefined) throw new CtlError(3, `${config}: control.enable is false, so there is no socket`)
    return path
  } catch (error) {
    if (error instanceof ConfigErrors) throw new CtlError(2, error.lines.join('\n'))
    throw error
  }
}

type Plain = Exclude<CtlAction, { readonly verb: 'watch' }>
interface Answered {
  readonly text: string
  /** For standard error. */
  readonly lines: readonly string[]
}

/** @throws CtlError */
async function answer(socket: string, action: Plain): Promise<Answered> {
  const { text: document, value } = await ask<unknown>(socket, questionOf(action))
  const { text, lines = [] } = shown(action, value)
  return { text: action.json ? document : text, lines: action.json ? [] : lines }
}

function questionOf(action: Plain): Question {
  switch (action.verb) {
    case 'list':
      return { method: 'GET', path: '/v1/connections' }
    case 'show':
      return { method: 'GET', path: pathOf('connections', action.id) }
    case 'message': {
      const { text, stderr } = action
      return { method: 'POST', path: `${pathOf('connections', action.id)}/message`, body: { text, stderr } }
    }
    case 'kill':
      return { method: 'POST', path: `${pathOf('connections', action.id)}/kill`, body: { reason: action.reason } }
    case 'kill-user':
      return { method: 'POST', path: `${pathOf('users', action.user)}/kill`, body: { reason: action.reason } }
    case 'drain':
    case 'undrain':
      return { method: 'POST', path: `/v1/${action.verb}` }
    default:
      return { method: 'GET', path: `/v1/${action.verb}` }
  }
}

const pathOf = (what: string, name: string): string => `/v1/${what}/${encodeURIComponent(name)}`

/** The answers are those of our own daemon; see `views.ts`. */
function shown(action: Plain, value: unknown): { readonly text: string; readonly lines?: readonly string[] } {
  switch (action.verb) {
    case 'status': {
      const status = value as StatusView
      return { text: statusText(status), lines: asides(status.others) }
    }
    case 'list': {
      const list = value as ListView
      return { text: listText(list, action.all), lines: asides(list.others, list.silentWorkers) }
    }
    case 'show':
      return { text: showText(value as ConnectionView) }
    case 'workers':
      return { text: workersText(value as { workers: readonly WorkerView[]; missing: number }) }
    case 'metrics':
      return { text: metricsText(value as MetricsView, action.part) }
    case 'message':
      return { text: `written to ${count((value as { programs: number }).programs, 'program')}\n` }
    case 'kill':
    case 'kill-user':
      return { text: (value as { killed: string[] }).killed.map((id) => `ended ${id}\n`).join('') }
    case 'drain':
      return { text: `nobody is let in any more; ${count(connectionsIn(value), 'connection')} go on\n` }
    case 'undrain':
      return { text: 'connections are let in again\n' }
    default:
      throw new Error(action satisfies never)
  }
}

/** The same holds for what is asked for besides. */
const connectionsIn = (value: unknown): number => (value as { connections: number }).connections
const count = (number: number, what: string): string => `${number} ${what}${number === 1 ? '' : 's'}`
