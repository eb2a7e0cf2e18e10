/** Ends for forwarded connections: what listens behind them, and what connects to them. */
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface Service extends AsyncDisposable {
  /** The path of a socket, or the port on 127.0.0.1. */
  readonly at: string | number
  /** Connections that were accepted. */
  readonly accepted: number
}

/** Listens at a path, or at a free port. Each end of a connection may end on its own. */
export async function startService(serve: (socket: Socket) => void, path?: string): Promise<Service> {
  let accepted = 0
  const sockets = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    accepted++
    sockets.add(socket)
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket))
    serve(socket)
  })
  server.listen(path === undefined ? { port: 0, host: '127.0.0.1' } : { path })
  await once(server, 'listening')
  const address = server.address()
  return {
    at: typeof address === 'object' && address !== null ? address.port : (path ?? ''),
    get accepted() {
      return accepted
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  }
}

export async function reach(at: string | number): Promise<Socket> {
  const to = typeof at === 'string' ? { path: at } : { port: at, host: '127.0.0.1' }
  const socket = connect({ ...to, allowHalfOpen: true })
  await once(socket, 'connect')
  return socket
}

/** Everything until the other side ends. */
export async function all(socket: Socket): Promise<Buffer> {
  const parts: Buffer[] = []
  for await (const part of socket) parts.push(part as Buffer)
  return Buffer.concat(parts)
}

/** Sends, ends, and gives the answer. */
export async function converse(at: string | number, said: string | Uint8Array): Promise<Buffer> {
  const socket = await reach(at)
  socket.end(said)
  return all(socket)
}

/** Answers with `answer` of what it got, when the other side has ended. */
export const answering =
  (answer: (received: Buffer) => string | Uint8Array) =>
  (socket: Socket): void => {
    all(socket).then(
      (received) => socket.end(answer(received)),
      () => socket.destroy(),
    )
  }

/** A free port; somebody else may be faster. */
export async function freePort(): Promise<number> {
  await using service = await startService((socket) => socket.destroy())
  return Number(service.at)
}

/** A folder for sockets, gone at the end. */
export function folder(): { readonly path: (name: string) => string } & Disposable {
  const root = mkdtempSync(join(tmpdir(), 'containerssh-forward-'))
  return {
    path: (name) => join(root, name),
    [Symbol.dispose]: () => rmSync(root, { recursive: true, force: true }),
  }
}
