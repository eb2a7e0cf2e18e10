/** What a session puts out, as lines of JSON. Never more under way than the window of a watch, whoever reads or does not. */
import type { ServerResponse } from 'node:http'
import type { Located, Switchboard, Watcher, Watching } from './switchboard.ts'
import type { OutputEvent } from './views.ts'

/** What was taken is asked for again so often: at the most 5 MiB/s for each operator. */
const REFILL_MS = 50

export interface Streamed {
  readonly bytes: number
  readonly lostBytes: number
}

/** Resolves when the operator or the connection is gone. Undefined: the connection was over already. @throws DeadlineError */
export async function streamOutput(
  switchboard: Switchboard,
  where: Located,
  channel: number,
  response: ServerResponse,
  began: () => void,
): Promise<Streamed | undefined> {
  let [bytes, lostBytes, owed] = [0, 0, 0]
  let watching: Watching | undefined
  let refill: NodeJS.Timeout | undefined
  const waiting: OutputEvent[] = []
  const send = (event: OutputEvent): void => {
    if (watching === undefined) waiting.push(event)
    else response.write(`${JSON.stringify(event)}\n`)
  }
  const giveCredit = (): void => {
    refill = undefined
    // 'drain' comes back here.
    if (response.writableNeedDrain || owed === 0) return
    watching?.more(owed)
    owed = 0
  }
  const gone = Promise.withResolvers<void>()
  const watcher: Watcher = {
    take(report) {
      if (report.kind === 'watched-size') {
        const { columns, rows } = report
        // Sizes are no part of the window, and not worth a queue.
        if (!response.writableNeedDrain) send({ event: 'size', channel: report.channel, columns, rows })
        return
      }
      const { lost, stream } = report
      if (lost > 0) send({ event: 'lost', bytes: lost })
      lostBytes += lost
      if (report.bytes.length === 0) return
      // The bytes are lent.
      const data = Buffer.from(report.bytes.buffer, report.bytes.byteOffset, report.bytes.length).toString('base64')
      send({ event: 'output', channel: report.channel, stream: stream === 1 ? 'stdout' : 'stderr', data })
      bytes += report.bytes.length
      owed += report.bytes.length
      refill ??= setTimeout(giveCredit, REFILL_MS)
    },
    over() {
      send({ event: 'end', reason: 'the connection is over' })
      gone.resolve()
    },
  }
  response.on('drain', giveCredit).on('close', gone.resolve)
  watching = await switchboard.watch(where, channel, watcher)
  if (watching === undefined) return undefined
  began()
  response.writeHead(200, { 'content-type': 'application/x-ndjson', connection: 'close' })
  response.flushHeaders()
  for (const event of waiting) send(event)
  await gone.promise
  clearTimeout(refill)
  watching.stop()
  response.end()
  return { bytes, lostBytes }
}
