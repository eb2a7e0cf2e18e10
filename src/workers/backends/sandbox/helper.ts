/** Programs of ours in a sandbox. */
import { fault } from '../../../shared/codes/fault.ts'
import { aborted } from '../../../shared/deadline.ts'
import type { Log } from '../../../shared/log.ts'
import { ExecDuplex, type ExecStream } from '../guest/exec-stream.ts'
import type { ForwardPlace, Helping } from '../guest/forward-place.ts'
import { type Place as ExecPlace, nextId, openRaw } from './exec.ts'
import type { Init } from './init.ts'
import type { Room } from './room.ts'
import { type End, followStream } from './start.ts'

export const forwardPlace = (room: Room, place: ExecPlace, closing: AbortSignal, log: Log): ForwardPlace => ({
  plan: room.plan,
  closing,
  timeouts: room.settings.timeouts,
  codes: {
    forwardingFailed: 'SANDBOX_FORWARDING_FAILED',
    agentFailed: 'SANDBOX_AGENT_FAILED',
    agentLog: 'SANDBOX_AGENT_LOG',
  },
  async open(helping, signal) {
    signal.throwIfAborted()
    return openExecStream(place, helping, log)
  },
  help: (words, signal) => runHelper(place, words, signal),
  track: (task) => room.cleanup.track(task),
})

const start = (words: readonly string[], env: readonly string[]) => ({
  id: nextId(),
  terminal: undefined,
  folder: '/',
  words,
  env,
})

/** @throws Fault */
function openExecStream({ init, env }: ExecPlace, { what, words, announcement, said }: Helping, log: Log): ExecStream {
  log.emit('SANDBOX_EXEC', { command: what })
  const raw = openRaw(init, start(words, env))
  const stream = new ExecDuplex(raw, announcement)
  const { end } = followStream(raw, {
    stdout: (bytes) => stream.stdout(bytes),
    stderr: said,
    over: (error) => stream.finish(error),
    inputFailed: (error) => void stream.destroy(error),
  })
  return {
    stream,
    ended: () => stream.ended,
    received: () => stream.received,
    header: stream.header,
    exitCode: Promise.race([end, aborted(init.closing)]).then(codeOf),
  }
}

const codeOf = (end: End | undefined): number | undefined =>
  end === undefined ? undefined : end.kind === 'status' ? end.code : 128 + end.signal

/** Of what a helper says: enough for a sentence. */
const mostSaidChars = 500

export interface Helped {
  readonly exitCode: number
  readonly said: string
}

/** Runs a helper to its end. `input` is all that it reads. @throws Fault when nobody knows how it ended */
export async function runHelper(
  { init, env }: { readonly init: Init; readonly env: readonly string[] },
  words: readonly string[],
  signal: AbortSignal,
  input: Uint8Array = new Uint8Array(0),
): Promise<Helped> {
  const raw = openRaw(init, start(words, env))
  let said = ''
  const hear = (bytes: Uint8Array): void => {
    if (said.length < mostSaidChars) said += Buffer.from(bytes).toString('utf8')
  }
  const { end } = followStream(raw, { stdout: hear, stderr: hear, over: () => undefined, inputFailed: () => undefined })
  try {
    if (input.length > 0) raw.write(input)
    raw.end(() => undefined) // its exit code tells
    const exitCode = codeOf(await Promise.race([end, aborted(AbortSignal.any([signal, init.closing]))]))
    if (exitCode === undefined) throw fault('SANDBOX_EXEC_FAILED', { reason: 'it did not end in time' })
    return { exitCode, said: said.trim() }
  } finally {
    raw.destroy()
  }
}
