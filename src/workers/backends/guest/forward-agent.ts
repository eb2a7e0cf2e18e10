/** The guest agent's `forward-server` in a container. */
import { fault } from '../../../shared/codes/fault.ts'
import { aborted, sleep } from '../../../shared/deadline.ts'
import type { Log } from '../../../shared/log.ts'
import type { AgentProcess } from '../agent/process.ts'
import { withAgent } from './command.ts'
import type { ExecStream } from './exec-stream.ts'
import type { ForwardPlace } from './forward-place.ts'

/** The image has no guest agent at that path, or something else is there. */
export class NoAgentError extends Error {
  override readonly name = 'NoAgentError'
}

/** @throws Fault; NoAgentError */
export async function launchAgent(
  place: ForwardPlace,
  agent: readonly string[],
  log: Log,
  signal: AbortSignal,
): Promise<AgentProcess> {
  const { agentFailed, agentLog } = place.codes
  const limited = AbortSignal.any([signal, place.closing, AbortSignal.timeout(place.timeouts.commandStart)])
  const helping = {
    what: `${agent[0]} forward-server`,
    words: withAgent(agent, [...agent, 'forward-server']),
    announcement: 'agent',
    said: someLines((text) => log.emit(agentLog, { text })),
  } as const
  const exec = await place.open(helping, limited)
  const header = await Promise.race([exec.header, aborted(limited)])
  if (header?.kind !== 'pid') {
    exec.stream.destroy()
    const reason = header === undefined ? 'it does not answer' : textOf(header.text)
    log.emit(agentFailed, { reason }, { level: 'debug' })
    throw header === undefined ? fault(agentFailed, { reason }, { level: 'debug' }) : new NoAgentError(reason)
  }
  return follow(place, exec, agent, header.pid, log)
}

function follow(place: ForwardPlace, exec: ExecStream, agent: readonly string[], pid: number, log: Log): AgentProcess {
  const { closing, codes, timeouts } = place
  let ended = false
  let killed = false
  let ending: Promise<void> | undefined
  const exitCode = exec.exitCode.then((code) => {
    ended = true
    if (code !== undefined && code !== 0 && !killed && !closing.aborted) {
      log.emit(codes.agentFailed, { exitCode: code }, code === noPlace ? { level: 'debug' } : {})
    }
    return code
  })
  /** Most end by themselves when their input ends. */
  const kill = async (): Promise<void> => {
    await Promise.race([exitCode, sleep(beforeTermMs, closing)])
    const limited = AbortSignal.any([closing, AbortSignal.timeout(timeouts.signal)])
    for (const name of ['TERM', 'KILL']) {
      if (ended || closing.aborted) return
      killed = true
      await place.help([...agent, 'signal', '--pid', String(pid), '--signal', name], limited)
      await Promise.race([exitCode, sleep(afterTermMs, closing)])
    }
  }
  return {
    stream: exec.stream,
    exitCode,
    kill() {
      ending ??= kill()
      place.track(ending)
    },
  }
}

/** The agent cannot listen where it should, which the client is told. */
const noPlace = 1
const beforeTermMs = 500
const afterTermMs = 2000

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

function someLines(tell: (text: string) => void): (bytes: Uint8Array) => void {
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
    if (text !== '') tell(text)
  }
}
