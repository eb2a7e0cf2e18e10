/** Writes down what happens on the connections of a worker, when `audit` says so. */
import { audit } from '../layers/audit/index.ts'
import type { Peer } from '../ports.ts'
import type { Recording, Subject } from '../ssh/witness.ts'
import { type AuditAnswer, type AuditConfig, type Courier, Desk } from './desk.ts'
import { Login } from './login.ts'
import { type Limits, Recorder } from './recorder.ts'
import { Trails } from './trail.ts'
import { createWitness } from './witness.ts'

export type { AuditAnswer, AuditConfig, Courier }

export interface Recorders {
  /** Begins the log of a connection; the primary knows the connection by its ticket. */
  record(ticket: number, peer: Peer, subject: Subject): Recording
  /** The primary has stored something, or cannot. */
  answered(answer: AuditAnswer): void
  /** Bytes of records that are not stored yet. */
  readonly waitingBytes: number
}

/** Whether anything is to be recorded at all. */
export const isRecorded = ({ enable, format, storage, moreStorages }: AuditConfig): boolean =>
  enable && format !== 'none' && (storage !== 'none' || moreStorages.length > 0)

export function createRecorders(config: AuditConfig, courier: Courier, limits?: Limits): Recorders {
  const desk = new Desk(config, courier)
  return {
    record(ticket, peer, subject) {
      const recorder = new Recorder(desk, ticket, peer, subject, limits)
      const trails = new Trails()
      recorder.add('connect', null, { remoteAddr: addressOf(peer), country: peer.country })
      const login = new Login()
      return { witness: createWitness(recorder, trails, login), layer: audit(recorder, trails, login) }
    },
    answered: (answer) => desk.answered(answer),
    get waitingBytes() {
      return desk.waitingBytes
    },
  }
}

/** Addresses are canonical by now except for the zone of a link-local one, which says something about this host only. */
const addressOf = ({ remoteAddress }: Peer): string => remoteAddress.replace(/%.*$/, '')
