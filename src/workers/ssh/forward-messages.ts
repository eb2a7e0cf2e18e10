/**
 * What forwarding adds to CHANNEL_OPEN and GLOBAL_REQUEST (RFC 4254 sections 6.3.2 and 7, OpenSSH PROTOCOL section 2.4).
 * As in `messages.ts`, `undefined` means malformed. Results are copies.
 */
import type { Door, Origin, Target } from '../ports.ts'
import { longestNameBytes, Reader, textOf, Writer } from './bytes.ts'

const mostPort = 0xffff
/** PATH_MAX of Linux. */
const longestPathBytes = 4096

/** A channel that a client opens towards a target. */
export interface DirectOpen {
  readonly target: Target
  readonly origin: Origin
}
/** The places at which a client can have us listen for it. */
export type ForwardDoor = Extract<Door, { kind: 'tcp' | 'unix' }>
export interface ForwardRequest {
  readonly act: 'listen' | 'cancel'
  readonly door: ForwardDoor
}

/** RFC 4254 section 7.2. */
export function decodeDirectTcpip(data: Buffer): DirectOpen | undefined {
  const reader = new Reader(data)
  const host = reader.text()
  const port = reader.uint32()
  const origin = readOrigin(reader)
  if (!reader.complete || port > mostPort || host === '' || isLonger(host, longestNameBytes)) return undefined
  return { target: { kind: 'tcp', host, port }, origin }
}

/** The fields that PROTOCOL calls reserved are the originator for OpenSSH, both as client and as server. */
export function decodeDirectStreamlocal(data: Buffer): DirectOpen | undefined {
  const reader = new Reader(data)
  const path = reader.text()
  const origin = readOrigin(reader)
  if (!reader.complete || path === '' || isLonger(path, longestPathBytes)) return undefined
  return { target: { kind: 'unix', path }, origin }
}

/** It tells nothing that can be relied on, so that nothing about it makes a message malformed. */
function readOrigin(reader: Reader): Origin {
  const bytes = reader.string()
  const address = bytes.length > longestNameBytes ? '' : (textOf(bytes) ?? '')
  const port = reader.uint32()
  return { address, port }
}

const isLonger = (text: string, mostBytes: number): boolean => Buffer.byteLength(text) > mostBytes

const acts: Readonly<Record<string, readonly [ForwardRequest['act'], ForwardDoor['kind']]>> = {
  'tcpip-forward': ['listen', 'tcp'],
  'cancel-tcpip-forward': ['cancel', 'tcp'],
  'streamlocal-forward@openssh.com': ['listen', 'unix'],
  'cancel-streamlocal-forward@openssh.com': ['cancel', 'unix'],
}

/** RFC 4254 section 7.1. `unknown`: another type of request. */
export function decodeForwardRequest(type: string, data: Buffer): ForwardRequest | 'unknown' | undefined {
  const known = Object.hasOwn(acts, type) ? acts[type] : undefined
  if (known === undefined) return 'unknown'
  const [act, kind] = known
  const reader = new Reader(data)
  const place = reader.text()
  if (kind === 'tcp') {
    const port = reader.uint32()
    if (!reader.complete || port > mostPort || isLonger(place, longestNameBytes)) return undefined
    return { act, door: { kind, host: place, port } }
  }
  if (!reader.complete || place === '' || isLonger(place, longestPathBytes)) return undefined
  return { act, door: { kind, path: place } }
}

/** Type and further data of the CHANNEL_OPEN for a connection that arrived. The port of a TCP door is the real one. */
export function arrivalOf(door: Door, origin: Origin): { readonly type: string; readonly data: Buffer } {
  const writer = new Writer(0)
  switch (door.kind) {
    case 'tcp':
      // The address as the client gave it: it finds the forwarding by it.
      writer.string(door.host).uint32(door.port).string(origin.address).uint32(origin.port)
      return { type: 'forwarded-tcpip', data: writer.finish().subarray(1) }
    case 'unix':
      return {
        type: 'forwarded-streamlocal@openssh.com',
        data: writer.string(door.path).string('').finish().subarray(1),
      }
    case 'x11':
      return { type: 'x11', data: writer.string(origin.address).uint32(origin.port).finish().subarray(1) }
    case 'agent':
      return { type: 'auth-agent@openssh.com', data: Buffer.alloc(0) }
  }
}
