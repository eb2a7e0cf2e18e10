/** The requests of one session channel, and the bytes of its program. */
import { asFault } from '../../../shared/codes/fault.ts'
import { Echo } from '../../audit/echo/index.ts'
import type { Recorder } from '../../audit/recorder.ts'
import { inputNote, noteOf, outputNote, tap } from '../../audit/tap.ts'
import type { Trail } from '../../audit/trail.ts'
import type { Channel, ChannelRequest, Stdio, Verdict, WindowSize } from '../../ports.ts'

export function recordChannel(recorder: Recorder, trail: Trail, inner: Channel): Channel {
  let tapped: Stdio | undefined
  return {
    ...inner,
    async request(request, stdio) {
      // What we ask for ourselves is no request of the client's.
      if (request.kind === 'signal' && request.ours) return inner.request(request, stdio)
      const requestId = trail.nextRequest()
      record(recorder, trail.id, requestId, request)
      tapped ??= tapStdio(recorder, trail, stdio)
      let verdict: Verdict
      try {
        verdict = await inner.request(request, tapped)
      } catch (error) {
        verdict = { accepted: false, fault: asFault(error) }
      }
      if (!verdict.accepted) {
        recorder.add('request_failed', trail.id, { requestId, reason: verdict.fault.message })
      } else if (request.kind === 'pty-req' && isMasked(recorder)) {
        trail.echo ??= new Echo((bytes) => recorder.io(trail.id, 0, bytes))
      }
      return verdict
    },
  }
}

const isMasked = ({ config: { intercept } }: Recorder): boolean => intercept.stdin && !intercept.echoOff

function tapStdio(recorder: Recorder, trail: Trail, { stdin, stdout, stderr }: Stdio): Stdio {
  const { intercept } = recorder.config
  return {
    stdin: intercept.stdin ? { into: (sink) => stdin.into(tap(recorder, inputNote(recorder, trail), sink)) } : stdin,
    stdout: intercept.stdout || isMasked(recorder) ? tap(recorder, outputNote(recorder, trail), stdout) : stdout,
    stderr: intercept.stderr ? tap(recorder, noteOf(recorder, trail, 2), stderr) : stderr,
  }
}

function record(recorder: Recorder, id: number, requestId: number, request: ChannelRequest): void {
  switch (request.kind) {
    case 'env':
      recorder.add('setenv', id, { requestId, name: request.name, value: recorder.redacted(request.value) })
      return
    case 'pty-req': {
      const { term, size, modes } = request.pty
      recorder.add('pty', id, { requestId, term, ...sizeOf(size), modelist: modes })
      return
    }
    case 'shell':
      recorder.add('shell', id, { requestId })
      recorder.flush()
      return
    case 'exec':
      recorder.add('exec', id, { requestId, program: recorder.redacted(request.command) })
      recorder.flush()
      return
    case 'subsystem':
      recorder.add('subsystem', id, { requestId, subsystem: request.name })
      recorder.flush()
      return
    case 'window-change':
      recorder.add('window', id, { requestId, ...sizeOf(request.size) })
      return
    case 'signal':
      recorder.add('signal', id, { requestId, signal: request.name })
      return
    case 'x11-req': {
      const { single: singleConnection, protocol: authProtocol, cookie, screen } = request.x11
      const shown = recorder.config.intercept.passwords ? cookie : ''
      recorder.add('x11-req', id, { requestId, singleConnection, authProtocol, cookie: shown, screen })
      return
    }
    case 'auth-agent-req@openssh.com':
      recorder.add('channel_request_unknown', id, { requestId, requestType: request.kind, payload: new Uint8Array(0) })
      return
    case 'unknown': {
      const { type: requestType, payload } = request
      recorder.add('channel_request_unknown', id, { requestId, requestType, payload })
      return
    }
    default:
      request satisfies never
      throw new Error('unreachable: a channel request of an unknown kind')
  }
}

const sizeOf = ({ columns, rows, widthPixels: width, heightPixels: height }: WindowSize) => ({
  columns,
  rows,
  width,
  height,
})
