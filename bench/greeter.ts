/** Accepts and greets in one process: `node greeter.ts PORT`. */
import { createServer } from 'node:net'
import { greet } from './greeting.ts'

const server = createServer((socket) => greet(socket, () => undefined))
server.listen({ host: '127.0.0.1', port: Number(process.argv[2]), backlog: 4096 })
process.once('SIGTERM', () => process.exit(0))
