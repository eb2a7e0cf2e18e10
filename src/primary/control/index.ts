/** The service `Control socket`: operators see and end sessions, over HTTP on a socket of the file system. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { asFault, Fault } from '../../shared/codes/fault.ts'
import type { Config } from '../../shared/config/index.ts'
import { DeadlineError } from '../../shared/deadline.ts'
import type { Log } from '../../shared/log.ts'
import type { Service } from '../services.ts'
import type { SshService } from '../ssh-service.ts'
import {
  type Act,
  drain,
  kill,
  killUser,
  list,
  message,
  metrics,
  perform,
  show,
  status,
  undrain,
  watch,
  workers,
} from './acts.ts'
import { OPERATOR_HEADER } from './operator.ts'
import { RequestError, sendJson } from './requests.ts'
import { claim, listenAt, release } from './socket.ts'

export interface ControlOptions {
  readonly path: string
  readonly config: Config['control']
  readonly log: Log
  readonly ssh: Pick<SshService, 'switchboard' | 'fleet' | 'connections'> & { isDraining: boolean }
  /** Another process has the path until this one serves. */
  readonly isRelieving: boolean
  isReady(): boolean
  /** What is counted and measured now, as a document. */
  measure(): object
}
export interface Control extends Service {
  /** This process serves: the path leads to it from now on. */
  claim(): void
}

const MAX_CLIENTS = 64
const REQUEST_MS = 5000
const MAX_HEADER_BYTES = 8192

export function controlService(options: ControlOptions): Control {
  const { path, config, log, isRelieving } = options
  let isListening = false
  return {
    name: 'Control socket',
    claim() {
      if (!isListening || !isRelieving) return
      try {
        claim(path)
      } catch (error) {
        log.fault(asFault(error), 'error') // sessions matter more
      }
    },
    async run(life) {
      const server = open(options)
      await listenAt(server, path, config, isRelieving)
      isListening = true
      if (!isRelieving) claim(path)
      // A client that cannot be accepted is no reason to end the daemon.
      server.on('error', (error) => log.fault(asFault(error), 'warning'))
      log.emit('CONTROL_AVAILABLE', { path })
      life.running()
      if (!life.stop.aborted) await once(life.stop, 'abort')
      isListening = false
      release(path)
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      server.closeAllConnections()
      await closed
    },
  }
}

function open(options: ControlOptions): Server {
  const limits = { requestTimeout: REQUEST_MS, headersTimeout: REQUEST_MS, maxHeaderSize: MAX_HEADER_BYTES }
  const server = createServer(limits, (request, response) => void serve(options, request, response))
  server.maxConnections = MAX_CLIENTS
  return server
}

interface Route {
  readonly method: 'GET' | 'POST'
  /** Its group is the name that the path holds. */
  readonly path: RegExp
  readonly act: Act
}
const routes: readonly Route[] = [
  { method: 'GET', path: /^\/v1\/status$/, act: status },
  { method: 'GET', path: /^\/v1\/connections$/, act: list },
  { method: 'GET', path: /^\/v1\/connections\/([^/]+)$/, act: show },
  { method: 'GET', path: /^\/v1\/connections\/([^/]+)\/output$/, act: watch },
  { method: 'POST', path: /^\/v1\/connections\/([^/]+)\/message$/, act: message },
  { method: 'POST', path: /^\/v1\/connections\/([^/]+)\/kill$/, act: kill },
  { method: 'POST', path: /^\/v1\/users\/([^/]+)\/kill$/, act: killUser },
  { method: 'POST', path: /^\/v1\/drain$/, act: drain },
  { method: 'POST', path: /^\/v1\/undrain$/, act: undrain },
  { method: 'GET', path: /^\/v1\/workers$/, act: workers },
  { method: 'GET', path: /^\/v1\/metrics$/, act: metrics },
]

async function serve(options: ControlOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const [path = '', search = ''] = (request.url ?? '').split('?')
  try {
    const { act, name } = routeOf(request.method ?? '', path)
    await perform(act, options, { request, response, query: new URLSearchParams(search), name })
  } catch (thrown) {
    const error = asRequestError(thrown)
    const operator = String(request.headers[OPERATOR_HEADER] ?? 'somebody').slice(0, 64)
    const labels = { operator, method: request.method ?? '', path: path.slice(0, 200), status: error.status }
    options.log.emit('CONTROL_REQUEST_FAILED', { ...labels, reason: error.message })
    if (response.headersSent) response.destroy()
    else sendJson(response, error.status, { error: error.trouble, message: error.message })
  } finally {
    request.resume()
  }
}

/** @throws RequestError */
function routeOf(method: string, path: string): { readonly act: Act; readonly name: string } {
  for (const route of routes) {
    const found = route.path.exec(path)
    if (found === null) continue
    if (route.method !== method) throw new RequestError('malformed', `${path} takes ${route.method}, not ${method}`)
    return { act: route.act, name: decoded(found[1] ?? '') }
  }
  throw new RequestError('no-such-path', `there is nothing at ${path.slice(0, 200)}`)
}

/** @throws RequestError */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw new RequestError('malformed', `${text} is not percent-encoded`)
  }
}

function asRequestError(thrown: unknown): RequestError {
  if (thrown instanceof RequestError) return thrown
  if (thrown instanceof DeadlineError) return new RequestError('silent', thrown.message)
  if (thrown instanceof Fault) return new RequestError('failed', thrown.message)
  return new RequestError('failed', thrown instanceof Error ? thrown.message : String(thrown))
}
