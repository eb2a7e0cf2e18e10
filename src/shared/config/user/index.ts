/** Answers of the configuration server to settings: made once per content, because most users get one of a few. */
import { hash } from 'node:crypto'
import type { Fault } from '../../codes/fault.ts'
import { createLru } from '../../lru.ts'
import type { Config } from '../schema.ts'
import { resolve } from './resolve.ts'
import { ownLimits, type UserSettings, wholeSections } from './settings.ts'

export type { UserSettings } from './settings.ts'

export type UserResolution =
  | { readonly settings: UserSettings }
  /** One line each. `option`: the first of those that are wrong. */
  | { readonly problems: readonly string[]; readonly option: string }

export interface UserConfigs {
  /** `answer`: what the server has under `config`. `warn` is called once per content, not once per user. */
  settingsFor(answer: unknown, warn: (warning: Fault) => void): UserResolution
}

/** Contents that are remembered, of answers and of each kind of section. */
const mostRemembered = 1000

/** `rooms`: values of `backend` that exist. */
export function createUserConfigs(config: Config, rooms: readonly string[]): UserConfigs {
  for (const name of wholeSections) deepFreeze(config[name])
  const { merge, ignoreOtherOptions } = config.configserver
  const rules = { rooms, merge, ignoreOtherOptions }
  const answers = createLru<string, UserResolution>(mostRemembered)
  const sections = createLru<string, unknown>(mostRemembered)
  const basis: UserResolution = { settings: settingsOf(config, config) }

  /** The section that everybody has whose section says the same: compiled policies and rooms hang on it. */
  const shared = <T>(section: T): T => {
    const name = digest(JSON.stringify(section))
    const known = sections.get(name)
    if (known !== undefined) return known as T // the same content has the same type
    sections.set(name, deepFreeze(section))
    return section
  }
  const make = (answer: unknown, warn: (warning: Fault) => void): UserResolution => {
    const resolved = resolve(config, answer, rules)
    if ('problems' in resolved) return resolved
    resolved.warnings.forEach(warn)
    if (resolved.config === config) return basis
    const own = wholeSections.map((name) => [
      name,
      resolved.config[name] === config[name] ? config[name] : shared(resolved.config[name]),
    ])
    return { settings: settingsOf({ ...resolved.config, ...Object.fromEntries(own) }, config) }
  }
  return {
    settingsFor(answer, warn) {
      const text = JSON.stringify(answer) ?? '{}'
      if (text === '{}') return basis
      const name = digest(text)
      const known = answers.get(name)
      if (known !== undefined) return known
      const made = make(answer, warn)
      answers.set(name, made)
      return made
    },
  }
}

const digest = (text: string): string => hash('sha256', text, 'base64')

function settingsOf(config: Config, file: Config): UserSettings {
  const { security, backend, docker, kubernetes, sandbox, sshproxy, log } = config
  const changed = ownLimits.filter((name) => config.limits[name] !== file.limits[name])
  const limits =
    changed.length === 0 ? undefined : Object.fromEntries(changed.map((name) => [name, config.limits[name]]))
  return Object.freeze({
    ...{ security, backend, docker, kubernetes, sandbox, sshproxy },
    logLevel: log.level,
    limits: limits && Object.freeze(limits),
  })
}

function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  Object.freeze(value)
  Object.values(value).forEach(deepFreeze)
  return value
}
