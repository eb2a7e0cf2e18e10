/** The other processes of this daemon: after an upgrade the old one holds its sessions until they end. */
import { get } from 'node:http'
import { siblingsOf } from './socket.ts'
import type { OtherView } from './views.ts'

const ASK_MS = 1000
const MAX_BYTES = 16_384

export const askOthers = (path: string): Promise<readonly OtherView[]> =>
  Promise.all(
    siblingsOf(path).map(async ({ path: socket, pid }) => ({ pid, socket, connections: await connectionsAt(socket) })),
  )

/** Never rejects. */
function connectionsAt(socketPath: string): Promise<number | null> {
  const { promise, resolve } = Promise.withResolvers<number | null>()
  const options = { socketPath, path: '/v1/status?others=no', signal: AbortSignal.timeout(ASK_MS), agent: false }
  const request = get(options, (response) => {
    let text = ''
    response.setEncoding('utf8').on('data', (part: string) => {
      text += part
      if (text.length > MAX_BYTES) request.destroy()
    })
    response.on('close', () => resolve(countIn(text)))
  })
  request.on('error', () => resolve(null)) // it has gone, or is somebody else's
  return promise
}

function countIn(text: string): number | null {
  try {
    const { connections } = JSON.parse(text)
    return Number.isSafeInteger(connections) ? connections : null
  } catch {
    return null // cut off, or not from one of us
  }
}
