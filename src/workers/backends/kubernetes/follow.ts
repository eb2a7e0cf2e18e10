/** A program that runs in a pod: its size, its signals and its end are those of a channel. */
import { fault } from '../../../shared/codes/fault.ts'
import { aborted, sleep } from '../../../shared/deadline.ts'
import type { Log } from '../../../shared/log.ts'
import type { Exit, Program, Running, WindowSize } from '../../ports.ts'
import { announcementOf } from '../guest/command.ts'
import { exitOf } from '../guest/exit.ts'
import type { Header } from '../guest/header.ts'
import { letGo } from '../guest/let-go.ts'
import type { Place } from './exec.ts'
import { lostExit } from './exit.ts'
import { persist } from './failure.ts'
import { isForsaken, lossOf } from './loss.ts'
import type { Pump } from './pump.ts'
import { deliver, endProgram } from './signal.ts'
import type { PodStream } from './stream.ts'

export interface Followed {
  readonly place: Place
  readonly program: Program
  readonly stream: PodStream
  readonly pump: Pump
  /** Undefined: the end of the outputs is not told. */
  readonly lastWord: string | undefined
  readonly log: Log
  /** The exit code, once the stream is over; undefined when nobody knows it. `over`: nobody waits for it any more. */
  code(over: AbortSignal): Promise<number | undefined>
  /** All is read of a program with this number: its parent need not stay. */
  dismiss?(pid: number): void
}

/** When the connection ends as well, its pod is removed in no time; only a lone channel is worth an exec. */
const beforeEndingMs = 50
const endingMs = 30_000

export function follow({ place, program, stream, pump, lastWord, log, code, dismiss }: Followed): Running {
  const { closing, room } = place
  const { timeouts } = room.settings
  const tty = program.pty !== undefined
  const left = new AbortController()
  const over = AbortSignal.any([left.signal, closing])
  const delivered = new Set<string>()
  const startedAt = Date.now()
  let ended = false
  let ending: Promise<void> | undefined

  const resize = ({ columns, rows }: WindowSize): void => {
    log.emit('KUBERNETES_EXEC_RESIZE', { width: columns, height: rows })
    stream.resize(columns, rows)
  }
  const pidOf = (header: Header | undefined): number | undefined =>
    header?.kind === 'pid' && header.pid > 0 ? header.pid : undefined
  const sendHome = async (): Promise<void> => {
    const { code: said } = await pump.ended
    const pid = pidOf(await pump.header)
    if (said !== undefined && pid !== undefined) dismiss?.(pid)
  }
  const finish = async (): Promise<Exit> => {
    const told = await code(over)
    ended = !over.aborted
    const isSure = told !== 0 || lastWord !== undefined || !ended
    const isDone = isSure || !(await isForsaken(place, pidOf(await pump.header) ?? 0, startedAt, log))
    const known = isDone ? told : undefined
    await sendHome()
    const isOurs = known !== undefined && (delivered.has('KILL') || delivered.has('TERM'))
    const loss = ended && !isOurs ? await lossOf(place, known, startedAt, log) : undefined
    if (loss !== undefined) pump.tell(loss)
    // Nobody can talk to it any more; a pod of its own goes anyhow.
    if (ended && known === undefined && room.settings.pod.mode !== 'session') endInBackground()
    pump.close()
    if (!ended || known === undefined) return { kind: 'status', code: lostExit }
    return exitOf(known, program.what.kind, delivered, false)
  }
  const end = async (): Promise<void> => {
    await sleep(beforeEndingMs, closing)
    const limited = AbortSignal.any([closing, AbortSignal.timeout(endingMs)])
    const pid = pidOf(await Promise.race([pump.header, aborted(limited)]))
    if (pid === undefined || limited.aborted) return
    // After a broken stream the API server may be away for a while.
    await persist(() => endProgram(place, pid, tty, log, limited), {
      signal: limited,
      retrying: () => undefined,
      failed: (_labels, error) => error,
    })
  }
  const endInBackground = (): void => {
    ending ??= end().catch((cause) => {
      const labels = { signal: 'KILL', podName: place.pod.name }
      if (!closing.aborted) log.emit('KUBERNETES_EXEC_SIGNAL_FAILED', labels, { cause })
    })
    room.cleanup.track(ending)
  }
  // Nobody waits for the end of a stream whose pod goes.
  closing.addEventListener('abort', pump.close, { once: true })
  if (program.pty !== undefined) resize(program.pty.size)
  tellPid(pump, place, log)
  return {
    exit: finish(),
    room: place.pod.name,
    async resize(size) {
      if (!tty) return
      const { columns: width, rows: height } = size
      if (ended) throw fault('KUBERNETES_EXEC_RESIZE_FAILED', { width, height, reason: 'the program has ended' })
      resize(size)
    },
    async signal(name, signal) {
      if (ended) throw fault('KUBERNETES_SIGNAL_FAILED_EXITED', { signal: name })
      if (announcementOf(place.plan) === 'none') throw fault('KUBERNETES_EXEC_SIGNAL_FAILED_NO_AGENT', { signal: name })
      const limited = AbortSignal.any([signal, over, AbortSignal.timeout(timeouts.signal)])
      const pid = pidOf(await Promise.race([pump.header, aborted(limited)]))
      if (pid === undefined) throw fault('KUBERNETES_SIGNAL_FAILED_NO_PID', { signal: name })
      delivered.add(name)
      await deliver(place, pid, name, log, limited)
    },
    async [Symbol.asyncDispose]() {
      if (left.signal.aborted) return
      left.abort()
      if (!ended) {
        log.emit('KUBERNETES_CLOSE_OUTPUT_FAILED', { reason: 'the client closed the channel before the program ended' })
        endInBackground()
      }
      if (ended) pump.close()
      else void letGo(pump, announcementOf(place.plan), AbortSignal.any([closing, AbortSignal.timeout(endingMs)]))
    },
  }
}

function tellPid(pump: Pump, { plan, pod }: Place, log: Log): void {
  if (announcementOf(plan) === 'none') return
  pump.header
    .then((header) => {
      if (header.kind === 'pid') log.emit('KUBERNETES_PID_RECEIVED', { pid: header.pid, podName: pod.name })
    })
    .catch(() => undefined)
}
