/** Answers as people read them. What strangers chose (names, commands) does nothing to the terminal. */
import type { MetricsView } from '../control/measure.ts'
import type { ChannelView, ConnectionView, ListView, OtherView, StatusView, WorkerView } from '../control/views.ts'

/** Characters that move, hide or recolour others: control, format, unassigned, separators of lines. */
const active = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\u2028\u2029]/gu
export const harmless = (text: string): string =>
  text.replaceAll(active, (character) => `\\u{${character.codePointAt(0)?.toString(16) ?? ''}}`)

/** Columns as wide as they must be; the last is not padded. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows]
  const widths = head.map((_, column) => Math.max(...all.map((row) => (row[column] ?? '').length)))
  return all
    .map(
      (row) =>
        `${row
          .map((cell, column) => cell.padEnd(widths[column] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('')
}

const pairs = (rows: readonly (readonly [string, string])[]): string =>
  rows.map(([name, value]) => `${`${name}:`.padEnd(16)}${value}\n`).join('')

export function span(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds))
  const [days, hours, minutes] = [
    Math.floor(whole / 86_400),
    Math.floor(whole / 3600) % 24,
    Math.floor(whole / 60) % 60,
  ]
  if (days > 0) return `${days}d${hours}h`
  if (hours > 0) return `${hours}h${minutes}m`
  return minutes > 0 ? `${minutes}m${whole % 60}s` : `${whole}s`
}
export function size(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  const unit = Math.min(units.length - 1, bytes < 1 ? 0 : Math.floor(Math.log2(bytes) / 10))
  const value = bytes / 1024 ** unit
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`
}
const ago = (iso: string): string => span((Date.now() - Date.parse(iso)) / 1000)

/** What a channel is for, in few words. */
function doing({ type, program, detail, terminal }: ChannelView): string {
  const place = detail === null ? '' : ` ${harmless(detail)}`
  if (type !== 'session') return `${harmless(type)}${place}`
  if (program === null) return 'session'
  return `${program}${place}${program === 'exec' && terminal !== null ? ' (terminal)' : ''}`
}

const longest = (text: string, most: number): string => (text.length <= most ? text : `${text.slice(0, most - 1)}…`)
/** As much of an id as tells it from others, and is easy to type. */
const shortId = (id: string): string => id.slice(0, 12)
const shortRoom = (room: string | null): string => longest(harmless(room ?? '-'), room?.length === 64 ? 13 : 40)

export function listText({ connections }: ListView, all: boolean): string {
  const shown = connections.filter(({ username }) => all || username !== null)
  const head = ['ID', 'USER', 'FROM', 'SINCE', 'IDLE', 'WORKER', 'ROOM', 'IN', 'OUT', 'CHANNELS']
  const rows = shown.map((one) => [
    shortId(one.id),
    one.username === null ? '(not logged in)' : harmless(one.username),
    `${one.remoteAddress}:${one.remotePort}`,
    ago(one.authenticatedAt ?? one.connectedAt),
    span(one.idleSeconds),
    `${one.worker}${one.retired ? ' (retired)' : ''}`,
    shortRoom(one.room),
    size(one.receivedBytes),
    size(one.sentBytes),
    longest(one.channels.map(doing).join('; ') || '-', 80),
  ])
  return table(head, rows)
}

export function showText(one: ConnectionView): string {
  const head = ['CHANNEL', 'TERMINAL', 'ROOM', 'IN', 'OUT', 'WHAT']
  const channels = one.channels.map((channel) => [
    String(channel.id),
    channel.terminal === null ? '-' : `${channel.terminal.columns}x${channel.terminal.rows}`,
    shortRoom(channel.room),
    size(channel.receivedBytes),
    size(channel.sentBytes),
    doing(channel),
  ])
  const more = one.channelCount - one.channels.length
  return `${pairs([
    ['Id', one.id],
    ['User', one.username === null ? '(not logged in)' : harmless(one.username)],
    ['From', `${one.remoteAddress}:${one.remotePort}${one.country === 'XX' ? '' : ` (${one.country})`}`],
    ['Client', harmless(one.clientVersion)],
    ['Connected', `${one.connectedAt} (${ago(one.connectedAt)} ago)`],
    ['Authenticated', one.authenticatedAt === null ? 'no' : `${one.authenticatedAt} (${ago(one.authenticatedAt)} ago)`],
    ['Idle', span(one.idleSeconds)],
    ['Worker', `${one.worker}, process ${one.pid}${one.retired ? ', retired' : ''}`],
    ['Room', harmless(one.room ?? '-')],
    ['Bytes in, out', `${one.receivedBytes}, ${one.sentBytes}`],
  ])}${channels.length === 0 ? '' : `\n${table(head, channels)}`}${more > 0 ? `and ${more} more channels\n` : ''}`
}

export const statusText = (one: StatusView): string =>
  pairs([
    ['Server', `ContainerSSH ${one.version}, process ${one.pid}`],
    ['Running for', ago(one.startedAt)],
    ['Ready', one.draining ? 'no: draining' : one.ready ? 'yes' : 'no'],
    ['Connections', String(one.connections)],
    ['Workers', `${one.workers}${one.missingWorkers > 0 ? `, ${one.missingWorkers} missing` : ''}`],
  ])

export const workersText = ({ workers, missing }: { workers: readonly WorkerView[]; missing: number }): string =>
  table(
    ['WORKER', 'PID', 'STATE', 'CONNECTIONS', 'MEMORY', 'QUEUED', 'ROOMS AHEAD'],
    workers.map((one) => [
      String(one.worker),
      String(one.pid),
      one.stage === 'current' ? one.phase : one.stage,
      String(one.connections),
      one.residentBytes === null ? '-' : size(one.residentBytes),
      size(one.queuedBytes),
      String(one.roomsAhead ?? '-'),
    ]),
  ) + (missing > 0 ? `${missing} more are being started again\n` : '')

/** What is not zero. */
export function metricsText({ gauges, counters, histograms }: MetricsView, part: string): string {
  const rows = [...gauges, ...counters]
    .filter(({ value }) => value !== 0)
    .map(({ name, labels, value }) => [seriesName(name, labels), String(value)])
  const means = histograms
    .filter(({ count }) => count > 0)
    .map(({ name, labels, value, count }) => [
      seriesName(name, labels),
      `${count} times, ${Number((value / count).toPrecision(3))} on average`,
    ])
  return table(
    ['NAME', 'VALUE'],
    [...rows, ...means].filter(([name = '']) => name.includes(part)),
  )
}
const seriesName = (name: string, labels: Readonly<Record<string, string>>): string => {
  const given = Object.entries(labels).map(([label, value]) => `${label}="${value}"`)
  return given.length === 0 ? name : `${name}{${given.join(',')}}`
}

/** Lines beside an answer: what it does not hold. */
export const asides = (others: readonly OtherView[], silent: readonly number[] = []): readonly string[] => [
  ...silent.map((worker) => `worker ${worker} did not answer: its connections are not in the list`),
  ...others.map(({ pid, socket, connections }) =>
    connections === null
      ? `another process (${pid}) has a socket here and does not answer: ${socket}`
      : `another process (${pid}) still holds ${connections} connection${connections === 1 ? '' : 's'}: see containerssh ctl --socket ${socket} list`,
  ),
]
