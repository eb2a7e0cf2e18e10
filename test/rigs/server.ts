/** A real SSH server of ours on a port of its own, in this process: `await using server = await startServer()`. */
import { generateKeyPairSync } from 'node:crypto'
import { createServer, type Server } from 'node:net'
import type { Config, User } from '../../src/shared/config/index.ts'
import { defaults, schema } from '../../src/shared/config/schema.ts'
import { remoteOf, type TcpHandle } from '../../src/shared/ipc/handle.ts'
import { formatLine } from '../../src/shared/log/format.ts'
import { createLog, type LogRecord } from '../../src/shared/log.ts'
import type { Limits } from '../../src/workers/audit/recorder.ts'
import { createIntake, type Intake } from '../../src/workers/ssh/intake.ts'
import { arrivalOf } from './arrival.ts'
import { type Archive, createArchive } from './audit.ts'
import { record as keepForCodes, until } from './daemon.ts'
import { createRoom, type TestRoom } from './room.ts'
import { type Client, client, type Key, makeKey } from './ssh.ts'

export interface TestServer extends AsyncDisposable {
  readonly port: number
  readonly room: TestRoom
  readonly records: readonly LogRecord[]
  readonly intake: Intake
  readonly key: Key
  /** The OpenSSH client, logged in with a key as alice. */
  readonly client: Client
  /** What was recorded, when `audit` was given. */
  readonly archive: Archive
  /** Waits for a line of the log. */
  line(code: string, test?: (record: LogRecord) => boolean): Promise<LogRecord>
}

export interface ServerOptions {
  readonly ssh?: Partial<Config['ssh']>
  readonly limits?: Partial<Config['limits']>
  /** As in a file; what is left out has its default. */
  readonly security?: Readonly<Record<string, unknown>>
  /** Besides alice and nobody, who have the key of the server's client. */
  readonly users?: readonly User[]
  readonly auth?: Partial<Config['auth']>
  /** Switches the recording on. */
  readonly audit?: Partial<Config['audit']>
  /** How long records may wait. */
  readonly auditLimits?: Limits
  /** PEM texts; by default one Ed25519 key. */
  readonly hostKeys?: readonly string[]
}

/** For `security`: everything that is forwarded may be. */
export const anyForwarding = {
  forwarding: {
    ...{ forwardingMode: 'enable', reverseForwardingMode: 'enable', socketForwardingMode: 'enable' },
    ...{ socketListenMode: 'enable', x11ForwardingMode: 'enable', agentForwardingMode: 'enable' },
  },
}

export async function startServer(options: ServerOptions = {}): Promise<TestServer> {
  const key = makeKey()
  const base = defaults()
  const own = ['alice', 'nobody'].map((name) => ({ name, authorizedKeys: [key.line] }))
  const users: readonly User[] = [...own, ...(options.users ?? [])]
  const config: Config = {
    ...base,
    ssh: { ...base.ssh, ...options.ssh },
    limits: { ...base.limits, ...options.limits },
    security: schema.parse({ security: options.security ?? {} }).security,
    auth: { ...base.auth, users, ...options.auth },
    audit: { ...base.audit, ...options.audit },
  }
  const archive = createArchive(config.audit, options.auditLimits)
  const records: LogRecord[] = []
  const write = (record: LogRecord): void => {
    records.push(record)
    keepForCodes(formatLine(record, 'ljson').trimEnd())
  }
  const room = createRoom()
  const hostKey = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  const intake = createIntake({
    config,
    hostKeys: options.hostKeys ?? [hostKey],
    log: createLog({ level: 'debug', write }),
    backend: room,
    events: { authenticated: () => undefined, closed: () => undefined, source: () => undefined },
    recorders: options.audit === undefined ? undefined : archive.recorders,
  })
  const { port, listener } = await listen(intake)
  return {
    port,
    room,
    records,
    intake,
    archive,
    key,
    client: client(port, key),
    line: (code, test = () => true) =>
      until(code, () => records.find((record) => record.code === code && test(record))),
    async [Symbol.asyncDispose]() {
      listener.close()
      await intake.drain(AbortSignal.timeout(0))
      key[Symbol.dispose]()
    },
  }
}

/** Raw handles from the listening socket, as a worker gets them from the primary. */
function listen(intake: Intake): Promise<{ port: number; listener: Server }> {
  const listener = createServer()
  return new Promise((resolve) => {
    listener.listen(0, '127.0.0.1', 4096, () => {
      const raw = (listener as unknown as { _handle: { onconnection: (error: number, handle: TcpHandle) => void } })
        ._handle
      let ticket = 0
      raw.onconnection = (_error, handle) => {
        const remote = remoteOf(handle)
        if (remote === undefined) handle.close()
        else intake.serve(handle, ticket++, arrivalOf(remote), false)
      }
      const address = listener.address()
      resolve({ port: typeof address === 'object' && address !== null ? address.port : 0, listener })
    })
  })
}
