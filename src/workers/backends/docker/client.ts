/**
 * The only file that knows dockerode. It is used for control; streams are hijacked by `hijack.ts`. Neither its types nor
 * its errors get out of here.
 */
import { Agent as HttpAgent, type IncomingMessage } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import type { Readable } from 'node:stream'
import type { SecureContext } from 'node:tls'
import { inspect } from 'node:util'
import Docker from 'dockerode'
import { within } from '../../../shared/deadline.ts'
import { count } from '../../../shared/metric.ts'
import type { RawStream } from '../guest/raw-stream.ts'
import { type ConnectionSettings, parseAddress, secureContextOf } from './address.ts'
import { EngineError } from './failure.ts'
import { hijack, noAnswer } from './hijack.ts'

/** The newest API whose answers this code was written for. */
const OUR_API = '1.47'
/** No single answer takes longer; starting a container on a busy engine takes seconds. */
const CALL_MS = 120_000

export interface Call {
  readonly method: 'GET' | 'POST' | 'DELETE' | 'HEAD' | 'PUT'
  /** Without version and query. */
  readonly path: string
  readonly query?: Readonly<Record<string, string | number | boolean | object>>
  readonly body?: object
  /** In place of a body: a tar archive. */
  readonly archive?: Buffer
  /** X-Registry-Auth. */
  readonly registryAuth?: object | undefined
  /** The answer begins when somebody else, such as a registry, has answered: only the signal bounds it. */
  readonly isPatient?: true
}

export interface Client {
  /** As configured, for messages. */
  readonly host: string
  /** Settles with the version of the API that both sides speak; asked once. */
  version(signal: AbortSignal): Promise<string>
  /** The decoded JSON body; undefined when it is empty. @throws EngineError */
  request(call: Call, signal: AbortSignal): Promise<unknown>
  /** Resolves with the body as it arrives; it breaks off when the signal is aborted. @throws EngineError */
  stream(call: Call, signal: AbortSignal): Promise<Readable>
  /** A POST that becomes a raw stream. @throws EngineError */
  hijack(path: string, body: object | undefined, signal: AbortSignal): Promise<RawStream>
  close(): void
}

/** @throws Error with a sentence when the settings make no client. `callMs` bounds each call on TLS and http:// hosts. */
export function connect(settings: ConnectionSettings, callMs: number): Client {
  const address = parseAddress(settings)
  const tls = address.kind === 'tcp' ? address.tls : undefined
  const secureContext = tls === undefined ? undefined : secureContextOf(tls)
  const agent = engineAgent(secureContext)
  const target =
    address.kind === 'unix'
      ? { socketPath: address.path }
      : {
          host: address.hostname,
          port: address.port,
          protocol: tls === undefined ? ('http' as const) : ('https' as const),
        }
  // Everything that dockerode would take from the environment is given, if only as undefined.
  const unset = { host: undefined, port: undefined, ca: undefined, cert: undefined, key: undefined, timeout: undefined }
  // The types of dockerode leave `modem` untyped; `Modem` is the part of it that is called here.
  const { modem } = withoutEnvironment(
    () => new Docker({ ...unset, pathPrefix: '/', agent, ...target } as object),
  ) as unknown as {
    modem: Modem
  }
  const limitMs = tls !== undefined || address.host.startsWith('http://') ? Math.min(callMs, CALL_MS) : CALL_MS
  let negotiated: Promise<string> | undefined

  const dial = (call: Call, prefix: string, isStream: boolean, signal: AbortSignal): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const options: DialOptions = {
        path: `${prefix}${call.path}${call.query === undefined ? '' : '?'}`,
        method: call.method,
        options: { _query: call.query ?? {}, _body: call.body ?? {} },
        statusCodes: SUCCESS,
        isStream,
        abortSignal: signal,
        ...(call.registryAuth === undefined ? {} : { authconfig: call.registryAuth }),
        ...(call.archive === undefined ? {} : { file: call.archive }),
      }
      modem.dial(options, (error, answer) => {
        if (error === null || error === undefined) resolve(answer)
        else reject(engineError(error))
      })
    })
  const engineError = (error: ModemError): EngineError => {
    if (error.statusCode === undefined) return noAnswer(address, error)
    const { json } = error
    const message = typeof json === 'object' && json !== null && 'message' in json ? json.message : undefined
    return new EngineError(error.statusCode, String(message ?? error.reason ?? error.message).trim())
  }
  const bounded = async <T>(call: Call, signal: AbortSignal, task: (signal: AbortSignal) => Promise<T>): Promise<T> => {
    count('containerssh_backend_requests_total', { backend: 'docker' })
    try {
      if (call.isPatient) return await task(signal)
      return await within(`${call.method} ${call.path}`, limitMs, signal, task)
    } catch (error) {
      count('containerssh_backend_errors_total', { backend: 'docker', failure: '' })
      throw error instanceof EngineError
        ? error
        : noAnswer(address, error instanceof Error ? error : new Error(String(error)))
    }
  }
  const negotiate = async (signal: AbortSignal): Promise<string> => {
    const call: Call = { method: 'GET', path: '/version' }
    const answer = await bounded(call, signal, (limited) => dial(call, '', false, limited))
    return commonVersion(answer as { ApiVersion?: unknown; MinAPIVersion?: unknown })
  }
  const version = (signal: AbortSignal): Promise<string> => {
    negotiated ??= negotiate(signal).catch((error) => {
      negotiated = undefined
      throw error
    })
    return negotiated
  }
  return {
    host: address.host,
    version,
    async request(call, signal) {
      const prefix = `/v${await version(signal)}`
      const answer = await bounded(call, signal, (limited) => dial(call, prefix, false, limited))
      return Buffer.isBuffer(answer) ? (answer.length === 0 ? undefined : answer.toString()) : answer
    },
    async stream(call, signal) {
      const prefix = `/v${await version(signal)}`
      const body = (await bounded(call, signal, (limited) => dial(call, prefix, true, limited))) as IncomingMessage
      const cancel = (): void => void body.destroy()
      signal.addEventListener('abort', cancel, { once: true })
      body.on('error', () => undefined).on('close', () => signal.removeEventListener('abort', cancel))
      if (signal.aborted) cancel()
      return body
    },
    async hijack(path, body, signal) {
      const prefix = `/v${await version(signal)}`
      return bounded({ method: 'POST', path }, signal, (limited) =>
        hijack(address, secureContext, { path: `${prefix}${path}`, body }, limited),
      )
    },
    close: () => agent.destroy(),
  }
}

/** What we use of docker-modem, the transport under dockerode. */
interface Modem {
  dial(options: DialOptions, done: (error: ModemError | null | undefined, answer: unknown) => void): void
}
interface DialOptions {
  readonly path: string
  readonly method: string
  readonly options: { readonly _query: object; readonly _body: object }
  readonly statusCodes: Readonly<Record<number, true>>
  readonly isStream: boolean
  readonly abortSignal: AbortSignal
  readonly authconfig?: object
  /** The body; a tar archive by its content type. */
  readonly file?: Buffer
}
interface ModemError extends Error {
  readonly statusCode?: number
  readonly reason?: string
  readonly json?: unknown
}
const SUCCESS = { 200: true, 201: true, 204: true, 304: true } as const

/**
 * Keeps connections to the engine. docker-modem builds a debug text of all its request options before each call, even
 * when debugging is off: without its own short form the agent would be printed with every socket it holds, in depth.
 */
function engineAgent(secureContext: SecureContext | undefined): HttpAgent {
  const options = { keepAlive: true, maxFreeSockets: 32, scheduling: 'lifo' as const }
  const agent = secureContext === undefined ? new HttpAgent(options) : new HttpsAgent({ ...options, secureContext })
  return Object.assign(agent, { [inspect.custom]: () => 'agent' })
}

/** dockerode's constructor reads DOCKER_HOST and its kin, and throws when they are malformed. */
function withoutEnvironment<T>(make: () => T): T {
  const names = Object.keys(process.env).filter((name) => name.startsWith('DOCKER_'))
  const kept = names.map((name) => [name, process.env[name]] as const)
  for (const name of names) delete process.env[name]
  try {
    return make()
  } finally {
    for (const [name, value] of kept) process.env[name] = value
  }
}

/** The newest version both speak. Engines drop old versions, so ours may be below the engine's least. */
export function commonVersion(engine: { readonly ApiVersion?: unknown; readonly MinAPIVersion?: unknown }): string {
  const most = versionOf(engine.ApiVersion) ?? OUR_API
  const least = versionOf(engine.MinAPIVersion) ?? '1.24'
  const newest = isOlder(most, OUR_API) ? most : OUR_API
  return isOlder(newest, least) ? least : newest
}
const versionOf = (value: unknown): string | undefined =>
  typeof value === 'string' && /^\d+\.\d+$/.test(value) ? value : undefined
const isOlder = (a: string, b: string): boolean => {
  const [aMajor = 0, aMinor = 0] = a.split('.').map(Number)
  const [bMajor = 0, bMinor = 0] = b.split('.').map(Number)
  return aMajor === bMajor ? aMinor < bMinor : aMajor < bMajor
}
