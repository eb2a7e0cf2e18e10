/** Messages of the SSH layers above the transport (RFC 4252, RFC 4254). */
import assert from 'node:assert/strict'
import {
  decodeDirectStreamlocal,
  decodeDirectTcpip,
  decodeForwardRequest,
} from '../../../src/workers/ssh/forward-messages.ts'
import { decodeProofRequest } from '../../../src/workers/ssh/host-key-proof.ts'
import {
  channelOpen,
  dataProblem,
  decodeChannelOpen,
  decodeGlobalRequest,
  decodeInfoResponse,
  decodeOpenConfirmation,
  decodeOpenFailure,
  decodeUserauthRequest,
  globalRequest,
  pongFor,
} from '../../../src/workers/ssh/messages.ts'
import { channelRequest, decodeChannelRequest } from '../../../src/workers/ssh/requests.ts'
import { survivesReuse, type Target } from '../target.ts'

const mostBytes = 4096
const target = (run: Target['run']): Target => ({ run, mostBytes })

/** None of them throws: malformed is a value. */
export const messages: Readonly<Record<string, Target>> = {
  userauth: target((bytes) => {
    const request = decodeUserauthRequest(bytes)
    if (request === undefined) return
    assert.ok(request.service.length <= 255)
    assert.ok(request.user === undefined || Buffer.byteLength(request.user) <= 255)
    assert.ok(request.user?.includes('\0') !== true)
  }),
  'info-response': target((bytes) => {
    const count = (bytes[0] ?? 0) % 20
    const answers = decodeInfoResponse(bytes, count)
    assert.ok(answers === undefined || answers.length === count)
  }),
  'global-request': target((bytes) => {
    const request = decodeGlobalRequest(bytes)
    if (request === undefined) return
    const again = decodeGlobalRequest(globalRequest(request.type, request.wantReply, request.data))
    // Names are Latin-1 when they are read, and UTF-8 when they are written: only those of RFC 4250 come back.
    if (/^[ -~]*$/.test(request.type)) assert.deepEqual(again, request)
  }),
  'channel-open': target((bytes) => {
    const open = decodeChannelOpen(bytes)
    if (open !== undefined && /^[ -~]*$/.test(open.type)) assert.deepEqual(decodeChannelOpen(channelOpen(open)), open)
    decodeOpenConfirmation(bytes)
    decodeOpenFailure(bytes)
  }),
  'channel-request': target((bytes) => {
    survivesReuse(bytes, (lent) => decodeChannelRequest(lent)?.request)
    const decoded = decodeChannelRequest(bytes)
    if (decoded?.request === undefined) return
    const { recipient, request, wantReply } = decoded
    assert.deepEqual(decodeChannelRequest(channelRequest(recipient, request, wantReply)), decoded)
  }),
  forwarding: target((bytes) => {
    for (const decode of [decodeDirectTcpip, decodeDirectStreamlocal]) survivesReuse(bytes, decode)
    for (const type of ['tcpip-forward', 'streamlocal-forward@openssh.com', 'cancel-tcpip-forward', 'other'])
      survivesReuse(bytes, (lent) => decodeForwardRequest(type, lent))
    const proofs = decodeProofRequest(bytes, 8)
    assert.ok(proofs === undefined || proofs.length <= 8)
  }),
  data: target((bytes) => {
    for (const start of [9, 13]) assert.ok(dataProblem(bytes, start) !== '')
    const pong = pongFor(bytes)
    assert.ok(pong === undefined || pong.length === bytes.length)
  }),
}
