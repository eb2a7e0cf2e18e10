/** Which limit turns a connection away, and what is said about it. */
import { type Fault, fault } from '../shared/codes/fault.ts'
import type { Config } from '../shared/config/index.ts'
import type { RefusalReason } from '../shared/metric.ts'
import { dropProbability } from './early-drop.ts'
import type { Penalty } from './penalties.ts'

/** Keys of the section `ssh`. Of limits at most so many; 0 means no limit. */
export type AdmissionSettings = Pick<
  Config['ssh'],
  | 'maxConnections'
  | 'maxConnectionsPerSource'
  | 'maxStartups'
  | 'maxStartupsPerSource'
  | 'maxStartupsStart'
  | 'maxStartupsRate'
  | 'sourceNetBlockIPv4'
  | 'sourceNetBlockIPv6'
  | 'penalties'
  | 'proxyProtocol'
>

export interface Refusal {
  readonly reason: RefusalReason
  /** Its user text is what the client reads. */
  readonly fault: Fault
}

const reached = (count: number, limit: number): boolean => limit > 0 && count >= limit

/** For the limits of the whole process. `random`: 0 to 1. */
export function totalRefusal(
  settings: AdmissionSettings,
  connections: number,
  startups: number,
  remoteAddr: string,
  random: () => number,
): Refusal | undefined {
  const { maxConnections, maxStartups: full, maxStartupsStart: start, maxStartupsRate: rate } = settings
  if (reached(connections, maxConnections)) {
    const why = fault('SSH_CONNECTION_REFUSED', { remoteAddr, reason: 'too many connections' })
    return { reason: 'connections', fault: why }
  }
  const probability = dropProbability(startups, { start, rate, full })
  if (probability === 1) {
    const why = fault('SSH_HANDSHAKE_LIMIT', { remoteAddr, pending: startups, limit: full })
    return { reason: 'startups', fault: why }
  }
  if (probability === 0 || random() >= probability) return undefined
  return { reason: 'random_drop', fault: fault('SSH_EARLY_DROP', { remoteAddr, pending: startups }) }
}

/** For the limits of one source. */
export function sourceRefusal(
  { maxConnectionsPerSource, maxStartupsPerSource: limit }: AdmissionSettings,
  source: { readonly connections: number; readonly startups: number } | undefined,
  remoteAddr: string,
): Refusal | undefined {
  const { connections = 0, startups = 0 } = source ?? {}
  if (reached(connections, maxConnectionsPerSource)) {
    const why = fault('SSH_CONNECTION_REFUSED', { remoteAddr, reason: 'too many connections from this address' })
    return { reason: 'connections_per_source', fault: why }
  }
  if (!reached(startups, limit)) return undefined
  const why = fault('SSH_HANDSHAKE_LIMIT', { remoteAddr, pending: startups, limit })
  return { reason: 'startups_per_source', fault: why }
}

/** What the client reads; it has done it itself, so nothing is given away. */
export const offenceTexts: Readonly<Record<Penalty['offence'], string>> = {
  'auth-failed': 'failed logins',
  'no-auth': 'connections without a login',
  'grace-exceeded': 'logins that took too long',
  'protocol-error': 'connections that broke the protocol',
  refused: 'connections beyond the limits',
  overflow: 'too many addresses with a penalty',
}

export function penaltyRefusal({ offence, leftMs }: Penalty, remoteAddr: string): Refusal {
  const labels = { remoteAddr, reason: offenceTexts[offence], seconds: Math.ceil(leftMs / 1000) }
  return { reason: 'penalty', fault: fault('SSH_PENALTY', labels) }
}
