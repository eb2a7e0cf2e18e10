/** Forwarding into a pod: our side of it runs by exec; to ports of the pod itself the API server has a way of its own. */
import type { Duplex } from 'node:stream'
import { asFault, fault } from '../../../shared/codes/fault.ts'
import type { Log } from '../../../shared/log.ts'
import { placeName } from '../../place.ts'
import { ExecDuplex, type ExecStream, linger, livesOn } from '../guest/exec-stream.ts'
import type { ForwardPlace, Helping, TcpTarget } from '../guest/forward-place.ts'
import { HELPER } from '../guest/plan.ts'
import { exec, type Place, runHelper } from './exec.ts'
import { exitCodeOf } from './exit.ts'
import { asApiError, failureLabels } from './failure.ts'
import type { Helper } from './helper.ts'
import type { PodStream, Status } from './stream.ts'

export function forwardPlace(place: Place, helper: Helper | undefined, log: Log): ForwardPlace {
  const { room, plan, closing } = place
  const { agentMode } = room.settings.pod
  const summon = async (signal: AbortSignal): Promise<readonly string[] | undefined> => {
    try {
      await helper?.bring(signal)
      return [HELPER]
    } catch (error) {
      log.fault(asFault(error))
      return undefined
    }
  }
  return {
    ...{ plan, closing },
    timeouts: room.settings.timeouts,
    codes: {
      forwardingFailed: 'KUBERNETES_FORWARDING_FAILED',
      agentFailed: 'KUBERNETES_AGENT_FAILED',
      agentLog: 'KUBERNETES_AGENT_LOG',
    },
    open: (helping, signal) => openExecStream(place, helping, log, signal),
    help: (words, signal) => runHelper(place, words, log, signal),
    track: (task) => room.cleanup.track(task),
    dialOutside: (target, signal) => dialPort(place, target, log, signal),
    ...(helper !== undefined && (agentMode === 'auto' || agentMode === 'inject') && { summon }),
  }
}

/** @throws Fault KUBERNETES_EXEC_FAILED */
async function openExecStream(
  place: Place,
  { what, words, announcement, said }: Helping,
  log: Log,
  signal: AbortSignal,
): Promise<ExecStream> {
  log.emit('KUBERNETES_EXEC', { podName: place.pod.name, command: what })
  const opened = await exec(place, { command: words, tty: false, stdin: true }, log, signal).catch(
    (thrown: unknown) => {
      const error = asApiError(thrown)
      throw fault('KUBERNETES_EXEC_FAILED', { podName: place.pod.name, ...failureLabels(error, 1) }, { cause: error })
    },
  )
  const stream = new ExecDuplex(roomStream(opened), announcement)
  const exitCode = Promise.withResolvers<number | undefined>()
  let status: Status | undefined
  opened.read({
    data: (channel, bytes) => (channel === 'stdout' ? stream.stdout(bytes) : said(bytes)),
    status(one) {
      status = one
    },
    ended(error) {
      stream.finish(error)
      exitCode.resolve(status === undefined ? undefined : exitCodeOf(status))
    },
  })
  // Whoever destroys it is not told of its end any more.
  stream.once('close', () => exitCode.resolve(undefined))
  return { ...parts(stream), exitCode: exitCode.promise }
}

/** A server that cannot be told that the input ends goes on as if it had not. */
const roomStream = (stream: PodStream) => ({
  ...stream,
  end(done: () => void) {
    stream.end()
    done()
  },
})

const parts = (stream: ExecDuplex): Omit<ExecStream, 'exitCode'> => ({
  stream,
  ended: () => stream.ended,
  received: () => stream.received,
  header: stream.header,
})

const isOwnPort = ({ host }: TcpTarget): boolean => ['localhost', '127.0.0.1', '::1'].includes(host)
/** Each channel begins with the number of the port. */
const portBytes = 2
const mostReasonBytes = 256

/**
 * Undefined: the target is not a port of the pod, or the cluster does not let us. One direction alone cannot be ended.
 * @throws Fault SSH_FORWARD_CONNECT_FAILED
 */
async function dialPort(place: Place, target: TcpTarget, log: Log, signal: AbortSignal): Promise<Duplex | undefined> {
  if (!isOwnPort(target)) return undefined
  const { room, pod, closing } = place
  const limited = AbortSignal.any([signal, closing, AbortSignal.timeout(room.settings.timeouts.commandStart)])
  let opened: PodStream
  try {
    opened = await room.api.portForward(pod, target.port, limited)
  } catch (error) {
    const { message } = asApiError(error)
    log.emit('KUBERNETES_FORWARDING_FAILED', { target: placeName(target), reason: message })
    return undefined
  }
  const stream = new ExecDuplex(roomStream(opened))
  const skip = { stdout: portBytes, stderr: portBytes }
  let complaint = ''
  opened.read({
    data(channel, all) {
      const bytes = all.subarray(skip[channel])
      skip[channel] -= all.length - bytes.length
      if (channel === 'stdout') return stream.stdout(bytes)
      if (complaint.length < mostReasonBytes) complaint += Buffer.from(bytes).toString('latin1')
      // It is about the connection, which is over.
      if (bytes.length > 0) stream.finish(undefined)
    },
    status: () => undefined,
    ended: (error) => stream.finish(error),
  })
  const connection = { ...parts(stream), exitCode: Promise.resolve(undefined) }
  if (await livesOn(connection, limited)) {
    stream.once('finish', () => room.cleanup.track(linger(connection, closing)))
    return stream
  }
  stream.destroy()
  const reason = complaint === '' ? 'connection refused' : complaint.replace(/[^ -~]+/g, ' ').slice(0, mostReasonBytes)
  throw fault('SSH_FORWARD_CONNECT_FAILED', { target: placeName(target), reason })
}
