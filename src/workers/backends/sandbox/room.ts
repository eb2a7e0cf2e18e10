/** What all files of this room share: made once per worker and `sandbox` section. */
import type { Config } from '../../../shared/config/schema.ts'
import type { Identity } from '../../../shared/identity.ts'
import type { Labels } from '../../../shared/log.ts'
import type { Occupant } from '../../ports.ts'
import type { Plan } from '../guest/plan.ts'
import type { Groups } from './cgroup/group.ts'
import type { Cleanup } from './cleanup.ts'
import type { Ground } from './ground.ts'
import type { Slots } from './slots.ts'
import type { Tool } from './tool.ts'

export type SandboxSettings = Config['sandbox']

export interface Room {
  readonly settings: SandboxSettings
  readonly slots: Slots
  readonly cleanup: Cleanup
  readonly tool: Tool
  /** Undefined: the limits are those of setrlimit(2). */
  readonly groups: Groups | undefined
  readonly identity: Identity
  /** Files on the machine that each sandbox gets. */
  readonly supplies: Supplies
  /** The files of every sandbox. */
  readonly ground: Ground
  readonly plan: Plan
}

export interface Supplies {
  /** The guest agent, which everybody may execute. */
  readonly agent: string
  /** The seccomp filter, a program of classic BPF. */
  readonly filter: string
  readonly passwd: string
  readonly group: string
  /** Of names: /etc/hosts. */
  readonly hosts: string
}

/** Of each record of a connection, besides those of its peer. */
export const occupantLabels = ({ member }: Occupant): Labels => ({
  module: 'backend',
  backend: 'sandbox',
  username: member.username,
  authenticatedUsername: member.authenticatedUsername,
})
