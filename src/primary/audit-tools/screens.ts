/** The lines of all sessions in a log, in the order in which they were finished. */
import { TextDecoder } from 'node:util'
import type { AuditRecord, RecordOfType } from '../../shared/audit/record.ts'
import { sessionChannelOf } from '../../shared/audit/session-channel.ts'
import { createScreen, mostColumns, type Screen } from './terminal/screen.ts'

export interface ScreenLine {
  readonly channel: string
  /** Of the record that finished it. */
  readonly timestamp: bigint
  readonly what: 'input' | 'output'
  readonly text: string
}
export interface Screens {
  add(record: AuditRecord): void
  close(): void
}

/** Channels whose screens are kept at the same time. */
const mostChannels = 64
/** Terminals have the larger one of these until they have said what they have. */
const usual = { columns: 80, rows: 25 }
/** What is no terminal: each line goes as soon as it is whole. */
const pipe = { columns: mostColumns, rows: 1, newline: true } as const

interface Stream {
  readonly decoder: TextDecoder
  readonly screen: Screen
}
interface Channel {
  /** A terminal's output streams are one. */
  terminal: { readonly columns: number; readonly rows: number } | undefined
  /** A subsystem's output is a protocol. */
  isText: boolean
  readonly streams: Map<number, Stream>
}

export interface ScreensOptions {
  /** Also what was typed. */
  readonly withInput: boolean
  /** A line of a terminal is given when it is whole; a program that moves on the screen leaves a trail. */
  readonly isLive: boolean
}

export function createScreens(line: (line: ScreenLine) => void, { withInput, isLive }: ScreensOptions): Screens {
  const channels = new Map<string, Channel>()
  let now = 0n

  const streamOf = (name: string, channel: Channel, number: number): Stream => {
    const isTerminal = channel.terminal !== undefined && number > 0
    const key = isTerminal ? 1 : number
    let stream = channel.streams.get(key)
    if (stream === undefined) {
      const what = number === 0 ? 'input' : 'output'
      const take = (text: string): void => line({ channel: name, timestamp: now, what, text })
      const shape = isTerminal ? { ...usual, ...channel.terminal, newline: false } : pipe
      stream = {
        decoder: new TextDecoder('utf-8', { ignoreBOM: true }),
        screen: createScreen({ ...shape, line: take }),
      }
      channel.streams.set(key, stream)
    }
    return stream
  }
  const write = (name: string, channel: Channel, { stream, data }: RecordOfType<'io'>['payload']): void => {
    const number = Number(stream)
    if (data === null || number > 2 || !channel.isText || (number === 0 && !withInput)) return
    const { decoder, screen } = streamOf(name, channel, number)
    const text = decoder.decode(data, { stream: true })
    // The key for a new line sends a carriage return.
    screen.write(number === 0 ? text.replaceAll('\r', '\n') : text)
  }
  const close = (name: string): void => {
    for (const { decoder, screen } of channels.get(name)?.streams.values() ?? []) {
      screen.write(decoder.decode())
      screen.close()
    }
    channels.delete(name)
  }
  const open = (name: string): Channel => {
    const channel = { terminal: undefined, isText: true, streams: new Map<number, Stream>() }
    const [eldest] = channels.keys()
    if (channels.size === mostChannels && eldest !== undefined) close(eldest)
    channels.set(name, channel)
    return channel
  }
  return {
    add(record) {
      now = record.timestamp
      if (record.channelId === null) return
      const name = String(record.channelId)
      const channel = channels.get(name) ?? (sessionChannelOf(record) === undefined ? undefined : open(name))
      if (channel === undefined) return
      if (record.type === 'io') write(name, channel, record.payload)
      else if (record.type === 'close') close(name)
      else if (!isLive || record.type !== 'pty') change(channel, record)
    },
    close() {
      for (const name of [...channels.keys()]) close(name)
    },
  }
}

function change(channel: Channel, record: AuditRecord): void {
  switch (record.type) {
    case 'pty':
    case 'window': {
      const { columns, rows } = record.payload
      const size = { columns: columns || usual.columns, rows: rows || usual.rows }
      if (record.type === 'pty') channel.terminal = size
      else if (channel.terminal !== undefined) channel.streams.get(1)?.screen.resize(size)
      break
    }
    case 'subsystem':
      channel.isText = false
      break
    default:
  }
}
