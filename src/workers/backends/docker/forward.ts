/** Forwarding into a container: our side of it runs by exec. */
import type { Log } from '../../../shared/log.ts'
import { createDemux } from '../guest/demux.ts'
import { ExecDuplex, type ExecStream } from '../guest/exec-stream.ts'
import type { ForwardPlace, Helping } from '../guest/forward-place.ts'
import type { Plan } from '../guest/plan.ts'
import { attachExec, createExec, runHelper } from './exec.ts'
import { askExitCode, positive, StillRunning } from './exit.ts'
import type { Room } from './room.ts'

/** `closing`: aborted when the container is about to be removed, or has ended. */
export const forwardPlace = (
  room: Room,
  containerId: string,
  plan: Plan,
  closing: AbortSignal,
  log: Log,
): ForwardPlace => ({
  plan,
  closing,
  timeouts: room.settings.timeouts,
  codes: {
    forwardingFailed: 'DOCKER_FORWARDING_FAILED',
    agentFailed: 'DOCKER_AGENT_FAILED',
    agentLog: 'DOCKER_AGENT_LOG',
  },
  open: (helping, signal) => openExecStream(room, containerId, helping, log, signal),
  help: (words, signal) => runHelper(room, containerId, words, log, signal),
  track: (task) => room.cleanup.track(task),
})

/** @throws Fault */
export async function openExecStream(
  room: Room,
  containerId: string,
  { what, words, announcement, said }: Helping,
  log: Log,
  signal: AbortSignal,
): Promise<ExecStream> {
  log.emit('DOCKER_EXEC', { command: what })
  const spec = { Cmd: words, Env: [], Tty: false, stdin: true, size: undefined }
  const id = await createExec(room, containerId, spec, log, signal)
  const raw = await attachExec(room, id, false, log, signal)
  const stream = new ExecDuplex(raw, announcement)
  const demux = createDemux((type, payload) => (type === 'stdout' ? stream.stdout(payload) : said(payload)))
  raw.read({
    data(bytes) {
      try {
        demux.push(bytes)
      } catch (error) {
        stream.destroy(error as Error) // the demultiplexer throws nothing else
      }
    },
    ended: (error) => stream.finish(error),
    inputFailed: (error) => void stream.destroy(error),
  })
  const ended = new Promise<void>((done) => stream.once('close', done))
  const ask = async (): Promise<number> => {
    const { Running, ExitCode } = await room.engine.execState(id, AbortSignal.timeout(room.settings.timeouts.signal))
    if (Running || ExitCode === null) throw new StillRunning()
    return positive(ExitCode, log)
  }
  const exitCode = Promise.race([stream.over, ended]).then(() =>
    askExitCode(ask, log, AbortSignal.timeout(room.settings.timeouts.signal)),
  )
  return {
    stream,
    ended: () => stream.ended,
    received: () => stream.received,
    header: stream.header,
    exitCode: exitCode.catch(() => undefined),
  }
}
