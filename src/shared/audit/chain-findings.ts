/** What can be wrong with the chain of a log. */
import type { MessagePlace } from './record-reader.ts'

/** A message, so that people find it. */
export interface Mark extends MessagePlace {
  readonly seq: number | undefined
  /** Nanoseconds since 1970. */
  readonly timestamp: bigint
}
export type Finding =
  /** One of these, or more, are not as they were written. */
  | { readonly kind: 'changed'; readonly first: Mark; readonly last: Mark }
  /** `before` stands in their place. */
  | { readonly kind: 'removed'; readonly first: number; readonly last: number; readonly before: Mark }
  | { readonly kind: 'moved' | 'repeated' | 'inserted' | 'after-end' | 'unlinked' | 'bad-signature'; readonly at: Mark }
  | { readonly kind: 'foreign'; readonly at: Mark; readonly connectionId: string }
export type Find = (finding: Finding) => void
