/**
 * Node's channel between a process and its child, used for nothing but handles: each goes with one message, in one write.
 *
 * `child.send(message, handle)` packs each message as JSON, answers each handle with a message of its own, and has only one
 * handle under way: that was half of what a hand-over cost. Here the raw pipe below it is used, which Node has under the symbol
 * `kChannelHandle` of a `ChildProcess` and of `process`:
 *
 * - `writeBuffer(request, bytes, handle)` sends both at once; what the kernel did not take counts in `writeQueueSize`;
 * - the handle that came with the bytes of a read is in `pendingHandle` when these are there, until somebody takes it.
 *
 * A read ends with the message whose handle it brings (unix(7), "Ancillary messages"), so that no message needs a frame.
 * Node documents none of this; `test/shared/ipc/handle-channel.test.ts` holds it to that.
 */
import type { ChildProcess } from 'node:child_process'
import { Socket } from 'node:net'
import { isTcpHandle, type TcpHandle } from './handle.ts'
import { pack, unpack } from './msgpack.ts'

interface WriteRequest {
  /** Keeps the memory until it is written. */
  bytes?: Buffer
}
interface RawChannel {
  /** Returns 0 or a negative errno. */
  writeBuffer(request: WriteRequest, bytes: Buffer, handle: TcpHandle): number
  /** Bytes that the kernel has not taken. */
  readonly writeQueueSize: number
  readStop(): number
  onread(bytes: ArrayBuffer | undefined): void
  pendingHandle: unknown
}

/** Many times of what a message has. */
const MOST_BYTES = 1024

/**
 * Sends a message with its handle, which must stay open until the other side is known to have it. A message that cannot be
 * sent is lost, as are those that wait in the pipe when the other process ends: its end is told by that.
 */
export type SendHandle = (message: unknown, handle: TcpHandle) => void

/**
 * Takes the channel to a child over. Nothing that comes from there is acted upon: it could be an order to Node's cluster,
 * which listens for whoever asks, or descriptors without end. `offended` is told once of a child that does what only one does
 * that was taken over; there is no channel to it any more.
 * @throws Error on another Node than we know
 */
export function handleSender(child: ChildProcess, offended: (what: string) => void): SendHandle {
  const channel = channelOf(child)
  // Node has deprecated it, but has nothing in its place; no type tells of it.
  const { WriteWrap } = (process as unknown as Bindings).binding('stream_wrap')
  const offend = (what: string): void => {
    if (!child.connected) return
    child.disconnect()
    offended(what)
  }
  muzzle(channel, offend)
  return (message, handle) => {
    if (!child.connected) return
    const request = new WriteWrap()
    request.bytes = pack(message)
    channel.writeBuffer(request, request.bytes, handle)
    // libuv would look at the handle later, when it may have been closed.
    if (channel.writeQueueSize > 0) offend('connections were not taken')
  }
}

/** Leaves Node nothing but the end of the channel. */
function muzzle(channel: RawChannel, offend: (what: string) => void): void {
  const { onread } = channel
  let received = 0
  channel.onread = (bytes) => {
    const { pendingHandle } = channel
    channel.pendingHandle = null
    if (isTcpHandle(pendingHandle)) pendingHandle.close()
    received += bytes?.byteLength ?? 0
    if (bytes === undefined) onread.call(channel, bytes)
    else if (received > MOST_BYTES) offend('more than a greeting on the channel of handles')
  }
}

interface Bindings {
  binding(name: 'stream_wrap'): { readonly WriteWrap: new () => WriteRequest }
}

/**
 * Takes Node's channel to the parent over: nothing else comes through it from now on. `receive` gets undefined for a handle
 * that this process had no descriptor for. `closed` is called when the parent has gone.
 * @throws Error on another Node than we know
 */
export function receiveHandles(receive: (message: unknown, handle: unknown) => void, closed: () => void): void {
  const channel = channelOf(process)
  channel.readStop()
  channel.pendingHandle = undefined
  const buffer = Buffer.allocUnsafeSlow(MOST_BYTES)
  const callback = (bytes: number): boolean => {
    const handle = channel.pendingHandle ?? undefined
    channel.pendingHandle = undefined
    receive(unpack(buffer.subarray(0, bytes)), handle)
    return true
  }
  // Its type does not tell of the handle.
  const options: object = { handle: channel, onread: { buffer, callback } }
  const socket = new Socket(options)
  socket.on('error', () => undefined) // 'close' follows
  socket.on('close', closed)
  socket.resume()
}

function channelOf(owner: ChildProcess | NodeJS.Process): RawChannel {
  const symbol = Object.getOwnPropertySymbols(owner).find(({ description }) => description === 'kChannelHandle')
  const channel: unknown = symbol && Reflect.get(owner, symbol)
  if (!isRawChannel(channel)) throw new Error('this version of Node has another channel to children than we know')
  return channel
}

function isRawChannel(value: unknown): value is RawChannel {
  if (typeof value !== 'object' || value === null || !('pendingHandle' in value)) return false
  return ['writeBuffer', 'readStop', 'onread'].every((name) => typeof Reflect.get(value, name) === 'function')
}
