/** One message of an audit log, as TypeScript sees it: a union with a member for each row of the catalogue. */
import type { catalogue, FieldKind, Fields, items, MessageType } from './catalogue.ts'

/** Unsigned, 64 bit. A number where that is exact, a bigint above. */
export type Uint64 = number | bigint

interface Values {
  readonly text: string
  readonly bytes: Uint8Array | null
  readonly uint64: Uint64
  readonly uint32: number
  readonly bool: boolean
  readonly questions: readonly ValuesOf<typeof items.questions>[] | null
  readonly answers: readonly ValuesOf<typeof items.answers>[] | null
}
/**
 * Text fields are valid UTF-8 in the log, whatever the client sent. Where something had to be replaced (U+FFFD), the
 * bytes as they came stand in a key of their own, which older readers ignore.
 */
type Raw<F extends Fields> = {
  readonly [Name in keyof F & string as F[Name] extends 'text' ? `${Name}Raw` : never]?: Uint8Array
}
type ValuesOf<F extends Fields> = { readonly [Name in keyof F]: Values[F[Name] & FieldKind] } & Raw<F>

/**
 * What the format has no field for, by name. A key of its own beside the payload: older readers ignore it, and no message
 * needs a field that most of them lack. At most `mostFacts`.
 */
export type Facts = Readonly<Record<string, string>>
export const mostFacts = 16

interface Common<Type extends MessageType> {
  /** 32 hex digits. */
  readonly connectionId: string
  /** Nanoseconds since 1970-01-01 UTC, signed 64 bit. */
  readonly timestamp: bigint
  readonly type: Type
  /** A label within one log; null where the message is about the connection. */
  readonly channelId: Uint64 | null
  readonly facts?: Facts
}
type RecordOf<Type extends MessageType> = Common<Type> & {
  readonly payload: (typeof catalogue)[Type]['payload'] extends infer F
    ? F extends Fields
      ? ValuesOf<F>
      : null
    : never
}
export type AuditRecord = { [Type in MessageType]: RecordOf<Type> }[MessageType]
export type RecordOfType<Type extends MessageType> = Extract<AuditRecord, { readonly type: Type }>

/** A text of the client for a text field, and what its raw companion holds if it is not valid UTF-8. */
export interface TextField {
  readonly text: string
  readonly raw?: Uint8Array
}
const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const tolerant = new TextDecoder('utf-8', { ignoreBOM: true })

/** Copies `bytes` if they have to be kept. */
export const textField = (bytes: Uint8Array): TextField => {
  try {
    return { text: strict.decode(bytes) }
  } catch {
    return { text: tolerant.decode(bytes), raw: Uint8Array.from(bytes) }
  }
}
