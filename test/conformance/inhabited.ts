/** A backend as a worker opens it, and somebody who is about to enter a room of it. */
import { asFault } from '../../src/shared/codes/fault.ts'
import type { Config } from '../../src/shared/config/schema.ts'
import { newId } from '../../src/shared/id.ts'
import { type Identity, ownerLabel } from '../../src/shared/identity.ts'
import { formatLine } from '../../src/shared/log/format.ts'
import { createLog, type LogRecord } from '../../src/shared/log.ts'
import { rooms } from '../../src/workers/backends/index.ts'
import { createSession } from '../../src/workers/backends/session.ts'
import type { ConnectionId, Member, Occupant, Session } from '../../src/workers/ports.ts'
import { record, until } from '../rigs/daemon.ts'

export interface Inhabited extends AsyncDisposable {
  readonly identity: Identity
  readonly records: readonly LogRecord[]
  readonly occupant: Occupant
  readonly backend: Awaited<ReturnType<NonNullable<(typeof rooms)[string]>>>
  codes(): string[]
  /** Waits for a record. */
  logged(code: string, test?: (record: LogRecord) => boolean): Promise<LogRecord>
  enter(signal?: AbortSignal): Session
}
interface Who {
  readonly owner?: string
  readonly member?: Partial<Member>
}

/** `name`: as in the configuration. */
export async function inhabit(name: string, config: Config, who: Who): Promise<Inhabited> {
  const records: LogRecord[] = []
  const log = createLog({
    level: 'debug',
    write(line) {
      records.push(line)
      record(formatLine(line, 'ljson').trimEnd())
    },
  })
  const connectionId = newId() as ConnectionId
  const identity: Identity = { owner: who.owner ?? ownerLabel(), instance: 'conformance' }
  const factory = rooms[name]
  if (factory === undefined) throw new Error(`there is no ${name} room`)
  const backend = await factory(config, identity, log).catch((error: unknown) => {
    log.fault(asFault(error)) // as a worker does, before it ends
    throw error
  })
  const peer = {
    connectionId,
    remoteAddress: '192.0.2.1',
    remotePort: 2,
    country: 'XX',
    clientVersion: 'SSH-2.0-test',
    log,
  }
  const member = {
    username: 'somebody',
    authenticatedUsername: 'somebody',
    metadata: new Map(),
    environment: new Map(),
    files: new Map(),
    ...who.member,
  }
  const occupant: Occupant = { peer, member }
  const codes = (): string[] => records.map(({ code }) => code)
  return {
    identity,
    records,
    occupant,
    backend,
    codes,
    logged: (code, test = () => true) =>
      until(`${code}; seen: ${codes().join(' ')}`, () => records.find((line) => line.code === code && test(line))),
    enter: (signal = new AbortController().signal) => createSession(backend, occupant, backend.open(occupant, signal)),
    [Symbol.asyncDispose]: () => backend[Symbol.asyncDispose](),
  }
}
