/** The guest agent's `forward-server` in a container, by exec. */
import { fault } from '../../../shared/codes/fault.ts'
import { sleep } from '../../../shared/deadline.ts'
import type { Log } from '../../../shared/log.ts'
import type { AgentProcess } from '../agent/process.ts'
import { withAgent } from '../guest/command.ts'
import type { Header } from '../guest/header.ts'
import type { Plan } from '../guest/plan.ts'
import { runHelper } from './exec.ts'
import { type ExecStream, openExecStream } from './forward-stream.ts'
import type { Room } from './room.ts'

export interface ForwardPlace {
  readonly room: Room
  readonly containerId: string
  readonly plan: Pick<Plan, 'agent' | 'hasShell'>
  /** Aborted when the container is about to be removed, or has ended. */
  readonly closing: AbortSignal
}

/** The image has no guest agent at that path, or something else is there. */
export class NoAgentError extends Error {
  override readonly name = 'NoAgentError'
}

/** @throws Fault; NoAgentError */
export async function launchAgent(
  { room, containerId, closing }: ForwardPlace,
  agent: readonly string[],
  log: Log,
  signal: AbortSignal,
): Promise<AgentProcess> {
  const limited = AbortSignal.any([signal, closing, AbortSignal.timeout(room.settings.timeouts.commandStart)])
  const words = withAgent(agent, [...agent, 'forward-server'])
  log.emit('DOCKER_EXEC', { command: `${agent[0]} forward-server` })
  const exec = await openExecStream(room, containerId, words, 'agent', agentLog(log), log, limited)
  const header = await headerOf(exec, limited)
  if (header?.kind !== 'pid') {
    exec.stream.destroy()
    const reason = header === undefined ? 'it does not answer' : textOf(header.text)
    log.emit('DOCKER_AGENT_FAILED', { reason }, { level: 'debug' })
    throw header === undefined ? fault('DOCKER_AGENT_FAILED', { reason }, { level: 'debug' }) : new NoAgentError(reason)
  }
  return follow(room, containerId, exec, agent, header.pid, closing, log)
}

function follow(
  room: Room,
  containerId: string,
  exec: ExecStream,
  agent: readonly string[],
  pid: number,
  closing: AbortSignal,
  log: Log,
): AgentProcess {
  let ended = false
  let killed = false
  let ending: Promise<void> | undefined
  const exitCode = exec.exitCode.then((code) => {
    ended = true
    if (code !== undefined && code !== 0 && !killed && !closing.aborted) {
      log.emit('DOCKER_AGENT_FAILED', { exitCode: code }, code === noPlace ? { level: 'debug' } : {})
    }
    return code
  })
  /** Most end by themselves when their input ends. */
  const kill = async (): Promise<void> => {
    await Promise.race([exitCode, sleep(beforeTermMs, closing)])
    const limited = AbortSignal.any([closing, AbortSignal.timeout(room.settings.timeouts.signal)])
    for (const name of ['TERM', 'KILL']) {
      if (ended || closing.aborted) return
      killed = true
      const words = [...agent, 'signal', '--pid', String(pid), '--signal', name]
      await runHelper(room, containerId, words, log, limited)
      await Promise.race([exitCode, sleep(afterTermMs, closing)])
    }
  }
  return {
    stream: exec.stream,
    exitCode,
    kill() {
      ending ??= kill()
      room.cleanup.track(ending)
    },
  }
}

/** The agent cannot listen where it should, which the client is told. */
const noPlace = 1
const beforeTermMs = 500
const afterTermMs = 2000

function headerOf({ header }: ExecStream, signal: AbortSignal): Promise<Header | undefined> {
  return new Promise((resolve) => {
    const left = (): void => resolve(undefined)
    if (signal.aborted) left()
    signal.addEventListener('abort', left, { once: true })
    header.then(resolve, left).finally(() => signal.removeEventListener('abort', left))
  })
}

/** Text of the container in our log: one line, not long. */
const textOf = (bytes: Uint8Array): string =>
  Buffer.from(bytes)
    .toString('utf8')
    .replace(/[^\p{L}\p{N}\p{P}\p{S} ]+/gu, ' ')
    .trim()
    .slice(0, mostChars)
const mostChars = 8192
/** Records that one agent may cause in a minute; what it says beyond that is thrown away. */
const mostRecords = 60

function agentLog(log: Log): (bytes: Uint8Array) => void {
  let left = mostRecords
  let until = 0
  return (bytes) => {
    const now = performance.now()
    if (now > until) {
      left = mostRecords
      until = now + 60_000
    }
    left -= 1
    const text = left < 0 ? '' : textOf(bytes)
    if (text !== '') log.emit('DOCKER_AGENT_LOG', { text })
  }
}
