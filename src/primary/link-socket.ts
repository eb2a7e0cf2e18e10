/**
 * The pipe to a worker, read into one buffer again and again. As Node gives it to us, each read has 64 KiB of memory of its
 * own: with the audit log on, collecting them was most of what the primary did.
 */
import { Socket } from 'node:net'

const readBytes = 64 * 1024

/** The part of Node's internals that a socket is moved by; see `listener.ts` and `handle.ts` for others of the kind. */
interface Inside {
  _handle: object | null
}

/** In place of `given`, which is closed with it. `receive` gets memory that is only good until it returns. */
export function linkSocket(given: Socket, receive: (bytes: Buffer) => void): Socket {
  // No type tells of it.
  const inside = given as unknown as Inside
  const { _handle: handle } = inside
  if (typeof handle !== 'object' || handle === null) throw new Error('the pipe to the worker is not open')
  inside._handle = null
  const buffer = Buffer.allocUnsafeSlow(readBytes)
  const callback = (count: number): boolean => {
    receive(buffer.subarray(0, count))
    return true
  }
  const options: object = { handle, onread: { buffer, callback } }
  const socket = new Socket(options)
  socket.once('close', () => given.destroy())
  socket.resume()
  return socket
}
