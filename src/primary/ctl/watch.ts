/** `ctl watch`: what a session puts out, on the operator's terminal. Nothing that is typed here reaches the session. */
import { createInterface } from 'node:readline'
import type { OutputEvent } from '../control/views.ts'
import { answerTo, CtlError } from './client.ts'
import { harmless } from './text.ts'

export interface WatchOptions {
  readonly id: string
  readonly channel: string | undefined
  readonly plain: boolean
  readonly json: boolean
}
export interface Console {
  readonly input: NodeJS.ReadStream
  readonly output: NodeJS.WriteStream
  tell(line: string): void
}

/**
 * What a program may have left a terminal in: colours, hidden cursor, alternate screen, reports of mouse and focus,
 * bracketed paste, other keys. See ctlseqs of xterm.
 */
const calm =
  '\x1b[0m\x1b[?25h\x1b[?1049l\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1004l\x1b[?1006l\x1b[?2004l\x1b[?1l\x1b>'

/** Resolves to the exit status, when the session is over or the operator has seen enough. @throws CtlError */
export async function watch(socket: string, options: WatchOptions, console: Console): Promise<number> {
  const { id, channel, plain, json } = options
  const query = channel === undefined ? '' : `?channel=${encodeURIComponent(channel)}`
  const path = `/v1/connections/${encodeURIComponent(id)}/output${query}`
  const response = await answerTo(socket, { method: 'GET', path })
  const isRaw = !plain && !json && console.output.isTTY === true
  let isLeft = false
  const leave = (): void => {
    isLeft = true
    response.destroy()
  }
  const quiet = swallow(console.input, leave)
  process.once('SIGINT', leave).once('SIGTERM', leave)
  // Whoever reads our output has had enough.
  console.output.once('error', leave)
  let end: string | undefined
  try {
    for await (const line of createInterface({ input: response })) {
      if (json) {
        await written(console.output, `${line}\n`)
        continue
      }
      const event = JSON.parse(line) as OutputEvent // of our own daemon
      if (event.event === 'end') end = event.reason
      else await tellEvent(event, plain, console)
    }
  } catch (error) {
    if (!isLeft) throw new CtlError(1, `the server ended the watch: ${(error as Error).message}`)
  } finally {
    process.off('SIGINT', leave).off('SIGTERM', leave)
    if (isRaw) console.output.write(calm)
    quiet()
  }
  if (end !== undefined) console.tell(`${isRaw ? '\r\n' : ''}${end}\n`)
  return 0
}

async function tellEvent(event: OutputEvent, plain: boolean, { output, tell }: Console): Promise<void> {
  switch (event.event) {
    case 'output': {
      const bytes = Buffer.from(event.data, 'base64')
      await written(output, plain ? visible(bytes) : bytes)
      return
    }
    case 'lost':
      tell(`\r\n[${event.bytes} bytes are not shown]\r\n`)
      return
    case 'size':
      if (output.isTTY !== true || plain) return
      if (output.columns < event.columns || output.rows < event.rows) {
        const { columns, rows } = event
        tell(`[the session's terminal has ${columns}x${rows} characters, yours ${output.columns}x${output.rows}]\r\n`)
      }
      return
    default:
  }
}

const visible = (bytes: Buffer): string =>
  bytes
    .toString()
    .replaceAll('\r\n', '\n')
    .split('\n')
    .map((line) => line.split('\t').map(harmless).join('\t'))
    .join('\n')

async function written(output: NodeJS.WriteStream, data: string | Uint8Array): Promise<void> {
  if (output.write(data)) return
  const { promise, resolve } = Promise.withResolvers<void>()
  output
    .once('drain', resolve)
    .once('error', () => resolve())
    .once('close', resolve)
  await promise
}

/** Programs ask terminals questions, and the answers of ours must not be typed into the shell that comes after us. */
function swallow(input: NodeJS.ReadStream, leave: () => void): () => void {
  if (input.isTTY !== true) return () => undefined
  input.setRawMode(true)
  input.on('data', (keys: Buffer) => {
    // Ctrl-C, Ctrl-D, q: alone, or they are part of an answer.
    if (keys.length === 1 && [0x03, 0x04, 0x71].includes(keys[0] ?? 0)) leave()
  })
  return () => {
    input.setRawMode(false)
    input.pause()
  }
}
