/** What one user has of the options that can be set per user. */
import type { Level } from '../../log/level.ts'
import type { Config } from '../schema.ts'

/** Sections of which every option can be set per user. */
export const wholeSections = ['security', 'backend', 'docker', 'kubernetes', 'sandbox', 'sshproxy'] as const
/** Those of `limits` that can; the others bound what a worker does for all. */
export const ownLimits = ['idleTimeout', 'sessionTimeout', 'warningBefore', 'warningText', 'signal', 'grace'] as const

/** Deep-frozen. Users with the same content share one object; a section that is the file's own is the file's object. */
export interface UserSettings extends Pick<Config, (typeof wholeSections)[number]> {
  readonly logLevel: Level
  /** Where they differ from the file's; undefined: nowhere. */
  readonly limits: Partial<Pick<Config['limits'], (typeof ownLimits)[number]>> | undefined
}

export const isOwnOption = ([section = '', option = '']: readonly string[]): boolean =>
  (wholeSections as readonly string[]).includes(section) ||
  (section === 'log' && option === 'level') ||
  (section === 'limits' && (ownLimits as readonly string[]).includes(option))
