/** The variables of a container or sandbox that come from the login. */
import type { Metadatum } from '../../../shared/webhook/data.ts'
import type { Member } from '../../ports.ts'

interface Settings {
  readonly exposeAuthMetadataAsEnv: boolean
  /** Key to name. */
  readonly metadataAsEnv: Readonly<Record<string, string>>
}

/**
 * Metadata by their own names, sensitive or not, as the Go program had them; then those that the configuration gives a
 * name, and the explicit environment, which wins. Metadata may have names and values that no variable can have.
 */
export function memberEnvironment({ exposeAuthMetadataAsEnv, metadataAsEnv }: Settings, member: Member): string[] {
  const { metadata, environment } = member
  const open = exposeAuthMetadataAsEnv ? [...metadata] : []
  const named = Object.entries(metadataAsEnv).flatMap(([key, name]): [string, Metadatum][] => {
    const found = metadata.get(key)
    return found === undefined ? [] : [[name, found]]
  })
  const variables = new Map([...[...open, ...named].filter(isVariable), ...environment])
  return [...variables].map(([name, { value }]) => `${name}=${value}`)
}

const isVariable = ([name, { value }]: readonly [string, Metadatum]): boolean =>
  name !== '' && !/[=\0]/.test(name) && !value.includes('\0')
