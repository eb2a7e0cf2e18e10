/**
 * The door to unix-dgram, whose native addon opens the UNIX datagram sockets that Node cannot. An optional package:
 * without a compiler it is not there. Its JavaScript wraps sendmsg(2) on a non-blocking, connected socket.
 */
import { createRequire } from 'node:module'
import { getSystemErrorName } from 'node:util'

interface AddonSocket {
  on(event: 'error', listener: (error: AddonError) => void): void
  on(event: 'writable', listener: () => void): void
  connect(path: string): void
  /** Calls back before it returns. */
  send(datagram: Buffer, done: (error?: AddonError) => void): void
  close(): void
}
/** `code` is a negative errno, or 1 while the receiver's queue is full. */
interface AddonError extends Error {
  readonly code: number
}
interface Addon {
  createSocket(type: 'unix_dgram'): AddonSocket
}

const CONGESTED = 1
/** Bytes of `sun_path`, unix(7), without the NUL; the addon cuts longer paths. */
const PATH_BYTES = 107

export interface DatagramSocket {
  /** Undefined once the kernel has it; `full`: `writable` will be called; otherwise why it was not sent. */
  send(datagram: Buffer): undefined | 'full' | NodeJS.ErrnoException
  close(): void
}

/** Loaded when first needed. Undefined if it was not built. */
export function datagramAddon(): Addon | undefined {
  try {
    // The package has no types.
    return createRequire(import.meta.url)('unix-dgram') as Addon
  } catch {
    return undefined
  }
}

/**
 * Connects to a socket of type datagram.
 * @throws ErrnoException of connect(2), e.g. EPROTOTYPE for a socket of another type
 */
export function connectDatagram(addon: Addon, path: string, writable: () => void): DatagramSocket {
  if (Buffer.byteLength(path) > PATH_BYTES) throw new Error(`${path}: longer than ${PATH_BYTES} bytes`)
  const socket = addon.createSocket('unix_dgram')
  let failure: AddonError | undefined
  socket.on('error', (error) => {
    failure = error
  })
  socket.on('writable', writable)
  socket.connect(path)
  if (failure !== undefined) {
    socket.close()
    throw named(failure, 'connect', path)
  }
  return {
    send(datagram) {
      let error: AddonError | undefined
      socket.send(datagram, (wrong) => {
        error = wrong
      })
      if (error === undefined) return undefined
      return error.code === CONGESTED ? 'full' : named(error, 'send', path)
    },
    close: () => socket.close(),
  }
}

function named({ code: errno }: AddonError, syscall: string, path: string): NodeJS.ErrnoException {
  const code = getSystemErrorName(errno)
  return Object.assign(new Error(`${syscall} ${code} ${path}`), { errno, code, syscall, path })
}
