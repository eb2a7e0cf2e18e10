/** A worker of the tests: real process, real link, but its connections echo, and do what a line tells them. */
import { writeSync } from 'node:fs'
import { Socket } from 'node:net'
import { fault } from '../../src/shared/codes/fault.ts'
import type { TcpHandle } from '../../src/shared/ipc/handle.ts'
import type { RoomFactory } from '../../src/workers/backends/index.ts'
import { startWorker } from '../../src/workers/main.ts'
import type { Intake, IntakeOptions } from '../../src/workers/ssh/intake.ts'

const bytes = Buffer.allocUnsafe(65_536)

function createEcho({ log, events }: IntakeOptions): Intake {
  const sockets = new Set<Socket>()
  let empty: (() => void) | undefined
  const obey = (socket: Socket, ticket: number, text: string): void => {
    if (text.includes('pid')) socket.write(`${process.pid}\n`)
    else if (text.includes('login')) {
      events.authenticated(ticket)
      socket.write('welcome\n')
    } else if (text.includes('throw')) throw new Error('told to throw')
    else if (text.includes('garbage')) writeSync(4, Buffer.from('ffffffff00', 'hex'))
    else if (text.includes('cluster')) writeSync(3, `${text}\n`)
    else if (text.includes('speak')) process.stderr.write('half a line and\nanother')
    else if (text.includes('forge')) {
      for (let other = 1; other < 100; other++) if (other !== ticket) events.closed(other, 'auth-failed')
      socket.write('forged\n')
    } else if (text.includes('log')) {
      log.emit('SSH_CONNECTED', {})
      socket.write('logged\n')
    } else socket.write(text)
  }
  return {
    serve(handle: TcpHandle, ticket: number) {
      const callback = (length: number): boolean => {
        obey(socket, ticket, bytes.toString('latin1', 0, length))
        return true
      }
      const options: object = { handle, onread: { buffer: bytes, callback } }
      const socket = new Socket(options)
      sockets.add(socket)
      socket.on('error', () => socket.destroy())
      socket.on('close', () => {
        sockets.delete(socket)
        events.closed(ticket, 'no-auth')
        if (sockets.size === 0) empty?.()
      })
      socket.resume()
    },
    // Its connections are never those of proxies.
    admitted: () => undefined,
    refuse: () => undefined,
    links: new Set(),
    get size() {
      return sockets.size
    },
    queued: { outputBytes: 0, windowBytes: 0 },
    async drain(signal) {
      for (const socket of sockets) socket.write('draining\n')
      if (sockets.size === 0) return
      signal.addEventListener('abort', () => {
        for (const socket of sockets) socket.end('cut\n')
      })
      await new Promise<void>((resolve) => {
        empty = resolve
      })
    },
  }
}

type OpenRoom = Awaited<ReturnType<RoomFactory>>
const refuse = () => fault('TEST', {})

const room = (log: IntakeOptions['log']): OpenRoom => ({
  name: 'docker',
  faults: { alreadyRunning: refuse, notRunning: refuse, notSupported: refuse },
  open: () => Promise.reject(new Error('an echo has no sandbox')),
  reap: async () => {
    log.emit('TEST', {})
    return 0
  },
  [Symbol.asyncDispose]: async () => undefined,
})

startWorker({
  rooms: {
    docker: async (_config, _identity, log) => room(log),
    broken: () => Promise.reject(new Error('the room is on fire')),
    silent: () => new Promise(() => undefined),
  },
  intake: createEcho,
})
