/** Where a value stands: by the schema's names, and as the file spells them. */
import type { Entry } from './tree.ts'

export type Step = string | number
export const pathKey = (path: readonly PropertyKey[]): string => JSON.stringify(path.map(String))

export interface Spot {
  readonly path: readonly Step[]
  readonly spelled: string
}

/** Keys of files can have any length; errors are for people. */
const longestKey = 60

/** Of an entry whose key means `step`. */
export const belowEntry = (spot: Spot, step: Step, { key, spelled }: Entry): Spot =>
  spelled === undefined ? below(spot, step, key) : { path: [...spot.path, step], spelled }

export const below = ({ path, spelled }: Spot, step: Step, as: string = String(step)): Spot => {
  const key = as.length > longestKey ? `${as.slice(0, longestKey)}…` : as
  const dotted = /^[\w-]+$/.test(key) ? key : JSON.stringify(key)
  const tail = typeof step === 'number' ? `[${step}]` : dotted.startsWith('"') ? `[${dotted}]` : dotted
  return {
    path: [...path, step],
    spelled: spelled === '' || tail.startsWith('[') ? spelled + tail : `${spelled}.${tail}`,
  }
}
