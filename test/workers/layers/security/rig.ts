/** The security layer around the test's room, without SSH in between. */
import type { SecurityConfig } from '../../../../src/shared/config/index.ts'
import { schema } from '../../../../src/shared/config/schema.ts'
import { formatLine } from '../../../../src/shared/log/format.ts'
import { createLog, type LogRecord } from '../../../../src/shared/log.ts'
import { core } from '../../../../src/workers/layers/core.ts'
import { security } from '../../../../src/workers/layers/security/index.ts'
import type {
  Channel,
  ChannelId,
  ChannelRequest,
  ConnectionId,
  Member,
  Peer,
  Restrictions,
  Session,
  Stdio,
  Verdict,
} from '../../../../src/workers/ports.ts'
import { record as keepForCodes } from '../../../rigs/daemon.ts'
import { createRoom } from '../../../rigs/room.ts'

/** A section as a file holds it; what is left out has its default. */
export const sectionOf = (written: Readonly<Record<string, unknown>>): SecurityConfig =>
  schema.parse({ security: written }).security

export const unrestricted: Restrictions = {
  pty: true,
  portForwarding: true,
  agentForwarding: true,
  x11Forwarding: true,
}
export const never = new AbortController().signal
const none = new Map<string, never>()
const silent: Stdio = {
  stdin: { into: () => undefined },
  stdout: { write: () => true, onDrain: () => undefined, end: () => undefined },
  stderr: { write: () => true, onDrain: () => undefined, end: () => undefined },
}

export async function enter(written: Readonly<Record<string, unknown>>, restrictions?: Restrictions) {
  const records: LogRecord[] = []
  const write = (record: LogRecord): void => {
    records.push(record)
    keepForCodes(formatLine(record, 'ljson').trimEnd())
  }
  const log = createLog({ level: 'debug', labels: { module: 'ssh', remoteAddr: '192.0.2.1' }, write })
  const connectionId = '0'.repeat(32) as ConnectionId
  const peer: Peer = { connectionId, remoteAddress: '192.0.2.1', remotePort: 1, country: 'XX', clientVersion: '', log }
  const member: Member = {
    ...{ username: 'alice', authenticatedUsername: 'alice', metadata: none, environment: none, files: none },
    ...(restrictions === undefined ? {} : { restrictions }),
  }
  const room = createRoom()
  const verdict = await security(sectionOf(written), peer)(core(() => room, peer)).enter(member, never)
  if (!verdict.accepted) throw verdict.fault
  return { session: verdict.value, peer, member, room, records, codes: () => records.map(({ code }) => code) }
}

let next = 0
export const openChannel = (session: Session): Promise<Verdict<Channel>> =>
  session.open(next++ as ChannelId, (_door, stream) => void stream.destroy())

/** A channel that was opened; its requests get the code of the refusal, or `ok`. */
export async function channelOf(session: Session) {
  const verdict = await openChannel(session)
  if (!verdict.accepted) throw verdict.fault
  const channel = verdict.value
  const ask = async (request: ChannelRequest): Promise<string> => {
    const answer = await channel.request(request, silent)
    return answer.accepted ? 'ok' : answer.fault.code
  }
  return { channel, ask, raw: (request: ChannelRequest) => channel.request(request, silent) }
}
