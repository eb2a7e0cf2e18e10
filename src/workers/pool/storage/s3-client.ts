/** The AWS SDK: loaded by the thread that uploads, at its first call, and nowhere else. Only this file knows it. */
import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { createSecureContext, getCACertificates, type SecureContext } from 'node:tls'
import type { PutObjectCommandInput, S3 } from '@aws-sdk/client-s3'
import type { S3Settings } from '../../../shared/s3-call.ts'

export type { S3 } from '@aws-sdk/client-s3'
export type ObjectInput = Omit<PutObjectCommandInput, 'Body'>

/** SHA-256 of bodies, in hex digits. The SDK does not sign what it would have to read twice: here it has been. */
export const hashes = new WeakMap<object, string>()

/** By settings: a thread serves one bucket, or a few. */
const clients = new Map<string, Promise<S3>>()
const mostClients = 4
/** Services close connections that nobody uses after a few seconds; a request on such a one would fail. */
const idleSocketMs = 3000

const silent = (): void => undefined

export function clientOf(settings: S3Settings): Promise<S3> {
  const key = JSON.stringify(settings)
  const known = clients.get(key)
  if (known !== undefined) return known
  const made = makeClient(settings)
  clients.set(key, made)
  const [oldest] = clients.keys()
  if (clients.size > mostClients && oldest !== undefined) forget(oldest)
  made.catch(() => clients.delete(key))
  return made
}

function forget(key: string): void {
  const client = clients.get(key)
  clients.delete(key)
  client?.then((old) => old.destroy()).catch(() => undefined)
}

async function makeClient(settings: S3Settings): Promise<S3> {
  const [{ S3: Client }, { NodeHttpHandler }] = await Promise.all([
    import('@aws-sdk/client-s3'),
    import('@smithy/node-http-handler'),
  ])
  const { endpoint, region, credentials, connections, limits } = settings
  const pool = { keepAlive: true, maxSockets: connections, timeout: idleSocketMs }
  // Some services of others refuse the checksums that the SDK adds by itself (aws-sdk-js-v3 issue 6810).
  const checksums = settings.checksums ? 'WHEN_SUPPORTED' : 'WHEN_REQUIRED'
  const client = new Client({
    region,
    forcePathStyle: settings.forcePathStyle,
    ...(endpoint !== '' && { endpoint }),
    ...(credentials !== undefined && { credentials }),
    requestChecksumCalculation: checksums,
    responseChecksumValidation: checksums,
    // The queue repeats what failed: only it can open the file anew.
    maxAttempts: 1,
    // Its own words would go to the console.
    logger: { debug: silent, info: silent, warn: silent, error: silent },
    requestHandler: new NodeHttpHandler({
      connectionTimeout: limits.connectMs,
      socketTimeout: limits.idleMs,
      httpAgent: new HttpAgent(pool),
      httpsAgent: new HttpsAgent({ ...pool, secureContext: secureContextOf(settings.cacert) }),
    }),
  })
  client.middlewareStack.add(
    (next) => (args) => {
      const { request } = args as { request?: { body?: unknown; headers: Record<string, string> } }
      const { body } = request ?? {}
      const hash = typeof body === 'object' && body !== null ? hashes.get(body) : undefined
      if (request !== undefined && hash !== undefined) request.headers['x-amz-content-sha256'] = hash
      return next(args)
    },
    { step: 'build', name: 'hashOfBody' },
  )
  return client
}

/** Made once: parsing the certificates of the system for each connection would cost milliseconds. */
function secureContextOf(cacert: string): SecureContext {
  const system = getCACertificates('system')
  // A machine without certificates of its own still has those that the runtime brings along.
  const trusted = system.length > 0 ? system : getCACertificates('bundled')
  return createSecureContext({ ca: cacert === '' ? trusted : [...trusted, cacert], minVersion: 'TLSv1.2' })
}
