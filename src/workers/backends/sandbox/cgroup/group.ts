/** A control group for each sandbox, in either version of the kernel's interface. */
import type { SandboxSettings } from '../room.ts'

/** What a group can bound for a sandbox as a whole. */
export type Bound = 'memory' | 'pids' | 'cpu' | 'cpuTime'

export interface GroupLimits {
  /** Bytes; of this and the others 0 is no limit. */
  readonly memory: number
  readonly pids: number
  /** Of one processor. */
  readonly cpuPercent: number
}

export interface Group {
  /** Files in which a process that writes 0 to them joins. */
  readonly entrances: readonly string[]
  /** Programs that the kernel has ended for want of memory so far. @throws Error */
  outOfMemoryKills(): Promise<number>
  /** Milliseconds, of all that ever ran in it. @throws Error */
  processorTime(): Promise<number>
  /** Ends all that is in it, and removes it. @throws Error when something is left after so long */
  end(timeoutMs: number): Promise<void>
}

export interface Groups {
  readonly version: 'v1' | 'v2'
  readonly bounds: ReadonlySet<Bound>
  /** @throws Error */
  make(name: string, limits: GroupLimits): Promise<Group>
  /** All names in the folder of our own group. @throws Error */
  names(): Promise<readonly string[]>
  /** One that is there, whoever made it. */
  open(name: string): Group
}

export const wantedBounds = ({ limits }: SandboxSettings): readonly Bound[] => [
  ...(limits.memory === 0 ? [] : (['memory'] as const)),
  ...(limits.pids === 0 ? [] : (['pids'] as const)),
  ...(limits.cpuPercent === 0 ? [] : (['cpu'] as const)),
  ...(limits.cpuTime === 0 ? [] : (['cpuTime'] as const)),
]

/** Microseconds, the kernel's default, of which a part may be used. */
const PERIOD_US = 100_000
export const quotaUs = (percent: number): number => (percent * PERIOD_US) / 100
export const CPU_MAX = (percent: number): string => `${quotaUs(percent)} ${PERIOD_US}`
