/** The flags of `containerssh audit TOOL`, and what their values mean. */
import { catalogue, type MessageType, messageTypes } from '../../shared/audit/catalogue.ts'
import type { AuditRecord } from '../../shared/audit/record.ts'
import { nearest } from '../../shared/config/problems.ts'

/** What a record must be to be printed; undefined: anything. */
export interface Filter {
  readonly types: readonly MessageType[] | undefined
  readonly channel: string | undefined
  /** Nanoseconds since 1970, this one included. */
  readonly since: bigint | undefined
  /** This one not included. */
  readonly until: bigint | undefined
}

export const passes = ({ types, channel, since, until }: Filter, record: AuditRecord): boolean =>
  (types === undefined || types.includes(record.type)) &&
  (channel === undefined || String(record.channelId) === channel) &&
  (since === undefined || record.timestamp >= since) &&
  (until === undefined || record.timestamp < until)

/** As they were given; a flag that was given more than once has its values joined by commas. */
export type Values = ReadonlyMap<Flag, string>
export type Flag = Switch | 'channel' | 'type' | 'since' | 'until' | 'time' | 'key' | 'identity' | 'output'
type Switch = (typeof switches)[number]
export const switches = ['compat', 'follow', 'recover', 'cast'] as const

/** A text: what is wrong with the value. */
type Read<T> = { readonly value: T } | string

export function channelOf(values: Values): Read<string | undefined> {
  const channel = values.get('channel')
  if (channel === undefined) return { value: undefined }
  if (!/^\d{1,20}$/.test(channel)) return 'flag --channel needs the number of a channel'
  return { value: BigInt(channel).toString() }
}

export function filterOf(values: Values): Read<Filter> {
  const channel = channelOf(values)
  if (typeof channel === 'string') return channel
  const types = typesOf(values.get('type'))
  if (typeof types === 'string') return types
  const [since, until] = (['since', 'until'] as const).map((flag) => timeOf(flag, values.get(flag)))
  if (since === undefined || typeof since === 'string') return since ?? ''
  if (until === undefined || typeof until === 'string') return until ?? ''
  return { value: { types: types.value, channel: channel.value, since: since.value, until: until.value } }
}

function typesOf(text: string | undefined): Read<MessageType[] | undefined> {
  if (text === undefined) return { value: undefined }
  const found: MessageType[] = []
  for (const word of text.split(',')) {
    const type = messageTypes.find((name) => name === word || String(catalogue[name].number) === word)
    if (type === undefined) {
      const meant = nearest(word, messageTypes)
      return `no message is called ${JSON.stringify(word)}${meant === undefined ? '' : `; did you mean ${meant}?`}`
    }
    found.push(type)
  }
  return { value: found }
}

const timeForm = /^(\d{4}-\d\d-\d\d)(?:[Tt ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d))?$/

/** RFC 3339, or a day, which begins at midnight UTC. */
function timeOf(flag: 'since' | 'until', text: string | undefined): Read<bigint | undefined> {
  if (text === undefined) return { value: undefined }
  const [, day = '', clock = '00:00:00', fraction = '', zone = 'Z'] = timeForm.exec(text) ?? []
  const ms = Date.parse(`${day}T${clock}${zone.toUpperCase()}`)
  if (Number.isNaN(ms)) return `flag --${flag} needs a time such as 2026-01-31T18:00:00Z`
  return { value: BigInt(ms) * 1_000_000n + BigInt(fraction.padEnd(9, '0')) }
}

/** Whether times are to be readable. */
export function timeFlag(values: Values): Read<boolean> {
  const form = values.get('time')
  return form === undefined || form === 'rfc3339' ? { value: form !== undefined } : 'flag --time can be rfc3339'
}
