/** What a handler gave back, as the document that is sent. It is read again as the daemon will read it. */
import { encodeJson } from '../shared/webhook/json.ts'
import type { WebhookRequest } from '../shared/webhook/requests.ts'
import { type WebhookName, webhooks } from '../shared/webhook/webhooks.ts'

type Properties = Readonly<Record<string, unknown>>

const isObject = (value: unknown): value is Properties =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)

const isMarked = (value: unknown): value is { readonly value: unknown; readonly sensitive?: unknown } =>
  isObject(value) && 'value' in value

/** Each value with its mark, if it is an object; otherwise it is for the reader to refuse. */
const marked = (entries: unknown, write: (value: unknown) => unknown): unknown =>
  isObject(entries)
    ? Object.fromEntries(
        Object.entries(entries).map(([name, entry]) => {
          if (!isMarked(entry)) return [name, { value: write(entry), sensitive: false }]
          return [name, { ...entry, value: write(entry.value), sensitive: entry.sensitive ?? false }]
        }),
      )
    : entries

const asIs = (value: unknown): unknown => value
const base64 = (value: unknown): unknown => {
  if (typeof value === 'string') return Buffer.from(value).toString('base64')
  if (!(value instanceof Uint8Array)) return value
  return Buffer.from(value.buffer, value.byteOffset, value.length).toString('base64')
}

/** In order of the documentation; what else the handler gave follows, and is refused. */
function documentOf(result: Properties): Properties {
  const { metadata, environment, files, ...rest } = result
  return {
    ...rest,
    ...(metadata !== undefined && { metadata: marked(metadata, asIs) }),
    ...(environment !== undefined && { environment: marked(environment, asIs) }),
    ...(files !== undefined && { files: marked(files, base64) }),
  }
}

/** @throws Error for what is no JSON, and for what the daemon would not understand */
export function encodeAnswer(name: WebhookName, result: unknown, request?: WebhookRequest): string {
  const { server, answer } = webhooks[name]
  const given = typeof result === 'boolean' && server === 'auth' ? { success: result } : result
  if (!isObject(given)) throw new Error(`a ${name} handler gave ${given === null ? 'null' : typeof given}`)
  const document = documentOf(given)
  if (server === 'auth' && !('success' in document || 'challenge' in document)) throw new Error('success is missing')
  const text = encodeJson(name === 'authorization' ? withUser(document, request) : document)
  answer(JSON.parse(text), '')
  return text
}

/** The Go program forgets who the user is when the answer does not repeat it. */
function withUser(document: Properties, request: WebhookRequest | undefined): Properties {
  if (request === undefined || !('authenticatedUsername' in request)) return document
  if (request.authenticatedUsername === '') return document
  return { ...document, authenticatedUsername: document['authenticatedUsername'] ?? request.authenticatedUsername }
}
