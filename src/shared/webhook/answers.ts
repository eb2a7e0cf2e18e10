/**
 * What webhooks answer: the documents of ContainerSSH 0.6, and those of keyboard-interactive, which are our addition in
 * the same manner.
 */
import type { FileDatum, Inquiry, Metadatum } from './data.ts'
import {
  anything,
  environment,
  files,
  flag,
  knownProperties,
  listOf,
  mapping,
  metadata,
  objectOf,
  type Reader,
  readerOf,
  text,
  textUpTo,
} from './fields.ts'

export interface Answer {
  readonly success: boolean
  /** Empty: the server does not say. */
  readonly authenticatedUsername: string
  readonly metadata: ReadonlyMap<string, Metadatum>
  readonly environment: ReadonlyMap<string, Metadatum>
  readonly files: ReadonlyMap<string, FileDatum>
}
/** What the server wants to know before it decides; `state` comes back to it with the answers. */
export interface Challenge extends Inquiry {
  readonly state: string
}

const address: Reader<string> = readerOf(text.schema, (value, place) => {
  const found = text(value, place)
  if (!/^(?:[\d.]+|\[[\da-f:.]+\]):\d{1,5}$/i.test(found)) throw new Error(`${place} is not ip:port`)
  return found
})

const properties = {
  success: flag,
  authenticatedUsername: text,
  metadata,
  environment,
  files,
  // An echo of the request is tolerated.
  username: text,
  connectionId: text,
  remoteAddress: address,
  clientVersion: text,
}
/** Of a password, a key, or an authorization. */
export const answer = objectOf(properties)
const nothing: ReadonlyMap<string, never> = new Map<string, never>()

const answerOf = (found: ReturnType<typeof answer>): Answer => ({
  success: found.success ?? false,
  authenticatedUsername: found.authenticatedUsername ?? '',
  metadata: found.metadata ?? nothing,
  environment: found.environment ?? nothing,
  files: found.files ?? nothing,
})

/** @throws Error that says what is wrong */
export const decodeAnswer = (value: unknown): Answer => answerOf(answer(value, ''))

export interface Configuration extends Omit<Answer, 'success'> {
  /** The part of the configuration that the server gave, as it came; `{}` if it gave none. */
  readonly config: unknown
  /** Properties of the answer that mean nothing to us. */
  readonly ignored: readonly string[]
}
const { success: _success, ...dynamic } = properties
/** As our own servers send it: `config` is what the file would have. */
export const configuration = objectOf({ ...dynamic, config: mapping })
// The Go program's library answers with the address `<nil>:0`, and nobody needs it.
const tolerated = { ...dynamic, config: anything, remoteAddress: text }
const readConfiguration = objectOf(tolerated)

/** @throws Error that says what is wrong */
export function decodeConfiguration(value: unknown): Configuration {
  const { known, unknown } = knownProperties(value, Object.keys(tolerated))
  const { config = {}, ...found } = readConfiguration(known, '')
  const { authenticatedUsername, metadata, environment, files } = answerOf(found)
  return { authenticatedUsername, metadata, environment, files, config, ignored: unknown }
}

/** Of a challenge: what fits on a screen, and a state that fits into a cookie. */
const mostPrompts = 16
const shown = textUpTo(8192)
const conversation = objectOf({
  ...properties,
  challenge: objectOf({
    name: textUpTo(255),
    instruction: shown,
    state: textUpTo(4096),
    prompts: listOf(objectOf({ text: shown, echo: flag }), mostPrompts),
  }),
})
export const interactive: typeof conversation = readerOf(conversation.schema, (value, place) => {
  const found = conversation(value, place)
  if (found.challenge !== undefined && found.success === true) {
    throw new Error('success and challenge exclude each other')
  }
  return found
})

/** An answer, or the questions that come before it. @throws Error that says what is wrong */
export function decodeInteractive(value: unknown): Answer | Challenge {
  const { challenge, ...found } = interactive(value, '')
  if (challenge === undefined) return answerOf(found)
  const { name = '', instruction = '', state = '', prompts = [] } = challenge
  return { name, instruction, state, prompts: prompts.map(({ text = '', echo = false }) => ({ text, echo })) }
}
