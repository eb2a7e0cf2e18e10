/** Programs in a running pod; and small helpers that only give an exit code. */
import type { Log } from '../../../shared/log.ts'
import type { Plan } from '../guest/plan.ts'
import type { ExecSpec, PodName } from './api.ts'
import { exitCodeOf } from './exit.ts'
import { asApiError, failureLabels } from './failure.ts'
import type { Room } from './room.ts'
import type { PodStream, Status } from './stream.ts'

const pieceBytes = 32 * 1024

/** Where programs run. */
export interface Spot {
  readonly room: Room
  readonly pod: PodName
  readonly container: string
  /** Aborted when the pod is about to be removed: nothing has to be tidied up in it any more. */
  readonly closing: AbortSignal
}
export interface Place extends Spot {
  readonly plan: Plan
}

/** What cannot be started is tried again for as long as nothing has been started. @throws ApiError */
export async function exec(
  place: Spot,
  spec: Omit<ExecSpec, 'container'>,
  log: Log,
  signal: AbortSignal,
): Promise<PodStream> {
  const { room, pod, container } = place
  log.emit('KUBERNETES_EXEC', { podName: pod.name, command: spec.command[0] ?? '' })
  try {
    return await room.api.exec(pod, { container, ...spec }, signal)
  } catch (thrown) {
    const error = asApiError(thrown)
    if (error.permanent || signal.aborted) throw error
    log.emit('KUBERNETES_EXEC_FAILED', { podName: pod.name, ...failureLabels(error, 1) }, { level: 'debug' })
    return room.api.exec(pod, { container, ...spec }, signal)
  }
}

/** How a helper ended: its exit code, or why there is none. */
export interface HelperEnd {
  readonly exitCode: number | undefined
  readonly message: string
}

/**
 * Runs a helper to its end; its output is thrown away. `input` is what it reads; one that counts does not wait for the
 * input's end, which old servers cannot tell. @throws ApiError; the signal's reason
 */
export async function runHelper(
  place: Spot,
  command: readonly string[],
  log: Log,
  signal: AbortSignal,
  input?: { readonly bytes: Uint8Array; readonly isCounted: boolean },
): Promise<HelperEnd> {
  const stream = await exec(place, { command, tty: false, stdin: input !== undefined }, log, signal)
  const ended = new Promise<HelperEnd>((resolve, reject) => {
    let status: Status | undefined
    const aborted = (): void => {
      stream.destroy()
      reject(signal.reason)
    }
    signal.addEventListener('abort', aborted, { once: true })
    stream.read({
      data: () => undefined,
      status: (one) => {
        status = one
      },
      ended(error) {
        signal.removeEventListener('abort', aborted)
        const exitCode = status === undefined ? undefined : exitCodeOf(status)
        resolve({ exitCode, message: status?.message ?? error?.message ?? 'the stream ended without a status' })
      },
    })
  })
  if (input !== undefined) {
    await feed(stream, input.bytes, signal)
    if (!stream.end() && !input.isCounted) {
      stream.destroy()
      return { exitCode: undefined, message: 'the end of input cannot be told before Kubernetes 1.30' }
    }
  }
  return ended
}

/** In pieces: the server takes no message of any size. Ends early when the helper has, which its end tells. */
async function feed(stream: PodStream, input: Uint8Array, signal: AbortSignal): Promise<void> {
  for (let at = 0; at < input.length && !signal.aborted; at += pieceBytes) {
    if (stream.write(input.subarray(at, at + pieceBytes))) continue
    await new Promise<void>((resolve) => {
      stream.onDrain(resolve)
      signal.addEventListener('abort', () => resolve(), { once: true })
    })
  }
}
