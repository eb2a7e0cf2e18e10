/** What webhooks know about users, and ask them. */

export interface Metadatum {
  readonly value: string
  readonly sensitive: boolean
}
export interface FileDatum {
  readonly value: Uint8Array
  readonly sensitive: boolean
}

/** RFC 4256 section 3.2. */
export interface Inquiry {
  readonly name: string
  readonly instruction: string
  /** May be empty: the client answers at once, after it has shown the instruction. */
  readonly prompts: readonly Prompt[]
}
export interface Prompt {
  readonly text: string
  /** The answer is no secret: it is shown as it is typed. */
  readonly echo: boolean
}
