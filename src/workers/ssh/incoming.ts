/** A TCP connection that was handed over, and whoever reads from it at the time. */
import { Socket } from 'node:net'
import type { TcpHandle } from '../../shared/ipc/handle.ts'

/**
 * One buffer for the whole process: packets are decrypted in it and handled before the next read, so an idle connection
 * owns no receive buffer, and receiving costs half.
 */
const readBuffer = Buffer.allocUnsafeSlow(64 * 1024)

export interface Reader {
  /** Bytes from the socket, lent for the call. */
  receive(chunk: Buffer): void
}

export class Incoming {
  readonly socket: Socket
  /** To be set before the socket is resumed. */
  reader: Reader | undefined
  /** What the reader before had taken from the socket and had no use for. */
  early: Buffer | undefined

  /** Takes ownership of the handle. Nothing is read before the socket is resumed. */
  constructor(handle: TcpHandle) {
    // Node's own options for an accepted handle; their types are not published.
    const options: object = {
      handle,
      manualStart: true,
      onread: {
        buffer: readBuffer,
        callback: (bytes: number): boolean => {
          this.reader?.receive(readBuffer.subarray(0, bytes))
          return true
        },
      },
    }
    this.socket = new Socket(options)
    this.socket.setNoDelay(true)
  }

  close(): void {
    this.socket.destroy()
  }
}
