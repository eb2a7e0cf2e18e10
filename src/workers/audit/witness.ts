/** Writes down what does not pass the ports. */
import type { ChannelId, Door, Exit } from '../ports.ts'
import type { DirectOpen, ForwardRequest } from '../ssh/forward-messages.ts'
import type { Witness } from '../ssh/witness.ts'
import { keyLine } from '../webhook/protocol.ts'
import type { Login } from './login.ts'
import type { Recorder } from './recorder.ts'
import { noteOf, tap } from './tap.ts'
import type { Trails } from './trail.ts'

export const createWitness = (recorder: Recorder, trails: Trails, login: Login): Witness => ({
  ...ofConnection(recorder, login),
  ...ofChannels(recorder, trails),
})

type OfConnection = Pick<Witness, 'negotiated' | 'handshakeFailed' | 'keyRefused' | 'globalRequest' | 'end'>

function ofConnection(recorder: Recorder, login: Login): OfConnection {
  let globalRequests = 0
  return {
    negotiated: (negotiated) => login.learn(negotiated),
    handshakeFailed(reason) {
      recorder.add('handshake_failed', null, { reason })
      recorder.flush()
    },
    keyRefused(username, algorithm, blob) {
      const payload = { username, key: keyText(algorithm, blob) }
      recorder.add('auth_pubkey', null, payload)
      recorder.add('auth_pubkey_failed', null, payload)
      recorder.flush()
    },
    globalRequest(type, data, request) {
      const requestId = globalRequests++
      if (request === undefined) {
        const reason = 'malformed request'
        recorder.add('global_request_decode_failed', null, { requestId, requestType: type, payload: data, reason })
      } else if (request === 'unknown') recorder.add('global_request_unknown', null, { requestType: type })
      else forward(recorder, request)
    },
    end() {
      recorder.add('disconnect', null, null)
      recorder.end()
    },
  }
}

function ofChannels(recorder: Recorder, trails: Trails): Omit<Witness, keyof OfConnection> {
  const { intercept } = recorder.config
  return {
    direct: (id, wish) => direct(recorder, id, wish),
    arrived(id, door, origin) {
      const from = { OriginatorHost: origin.address, OriginatorPort: origin.port }
      arrived(recorder, id, door, from)
    },
    opened(id, type) {
      trails.of(id)
      recorder.add('new_channel_successful', id, { channelType: type })
    },
    refused: (id, type, reason) => recorder.add('new_channel_failed', id, { channelType: type, reason }),
    malformedRequest(id, type, payload) {
      const requestId = trails.of(id).nextRequest()
      const reason = 'malformed request'
      recorder.add('channel_request_decode_failed', id, { requestId, requestType: type, payload, reason })
    },
    told(id, bytes) {
      if (intercept.stderr) recorder.io(id, 2, bytes)
    },
    closedForWriting: (id) => recorder.add('close_write', id, null),
    exited: (id, exit) => exited(recorder, id, exit),
    closed(id) {
      trails.close(id)
      recorder.add('close', id, null)
      recorder.flush()
    },
    tap: (id, stream, sink) =>
      intercept.forwarding ? tap(recorder, noteOf(recorder, trails.of(id), stream), sink) : sink,
  }
}

/** A blob need not be that of a key: then the name of the algorithm stands where the type does. */
function keyText(algorithm: string, blob: Uint8Array): string {
  const bytes = Buffer.from(blob.buffer, blob.byteOffset, blob.length)
  const isKey = bytes.length >= 4 && bytes.readUInt32BE(0) <= bytes.length - 4
  return isKey ? keyLine(bytes) : `${algorithm} ${bytes.toString('base64')}`
}

function forward(recorder: Recorder, { act, door }: ForwardRequest): void {
  if (door.kind === 'tcp') {
    const type = act === 'listen' ? 'forward_tcpip' : 'cancel_forward_tcpip'
    recorder.add(type, null, { BindHost: door.host, BindPort: door.port })
  } else {
    const type = act === 'listen' ? 'forward_streamlocal' : 'cancel_forward_streamlocal'
    recorder.add(type, null, { Path: door.path })
  }
}

function direct(recorder: Recorder, id: ChannelId, { target, origin }: DirectOpen): void {
  if (target.kind === 'unix') {
    recorder.add('new_channel_direct_streamlocal', id, { Path: target.path })
    return
  }
  const to = { HostToConnect: target.host, PortToConnect: target.port }
  const from = { OriginatorHost: origin.address, OriginatorPort: origin.port }
  recorder.add('new_channel_direct_tcpip', id, { ...to, ...from })
}

interface Originator {
  readonly OriginatorHost: string
  readonly OriginatorPort: number
}

function arrived(recorder: Recorder, id: ChannelId, door: Door, from: Originator): void {
  switch (door.kind) {
    case 'tcp':
      recorder.add('new_channel_forwarded_tcpip', id, { ConnectedHost: door.host, ConnectedPort: door.port, ...from })
      return
    case 'unix':
      recorder.add('new_channel_forwarded_streamlocal', id, { Path: door.path })
      return
    case 'x11':
      recorder.add('new_channel_x11', id, from)
      return
    case 'agent':
      // The format has no message for it: only that the channel was opened.
      return
    default:
      door satisfies never
      throw new Error('unreachable: a door of an unknown kind')
  }
}

function exited(recorder: Recorder, id: ChannelId, exit: Exit): void {
  if (exit.kind === 'status') recorder.add('exit', id, { exitStatus: exit.code >>> 0 })
  else {
    const { name: signal, coreDumped, message: errorMessage } = exit
    recorder.add('exit_signal', id, { signal, coreDumped, errorMessage, languageTag: '' })
  }
}
