/** What zod finds wrong, as problems with the place that they have in the file, or in an answer. */
import type * as z from 'zod'
import { formatDuration } from './duration.ts'
import type { Kind } from './fields.ts'
import { type Problem, show } from './problems.ts'
import { schema } from './schema.ts'
import { core, pathKey, type Reading } from './shape.ts'

/** The note of the option at a path; a secret's covers all that is below it. */
const kindAt = (path: readonly PropertyKey[], root: z.ZodType): Kind | undefined => {
  let at = root
  for (const step of path) {
    const found = core(at)
    if (found.kind?.secret) return found.kind
    const def = found.schema.def as { shape?: Record<string, z.ZodType>; element?: z.ZodType; valueType?: z.ZodType }
    const next = def.shape?.[String(step)] ?? def.element ?? def.valueType
    if (next === undefined) return undefined
    at = next
  }
  return core(at).kind
}

const shown = (path: readonly PropertyKey[], value: unknown, root: z.ZodType): string => {
  const kind = kindAt(path, root)
  if (kind?.secret) return 'the value'
  return kind?.form === 'duration' && typeof value === 'number' ? formatDuration(value) : show(value)
}

const dotted = (path: readonly PropertyKey[]): string =>
  path
    .map((step) => (typeof step === 'number' ? `[${step}]` : `.${String(step)}`))
    .join('')
    .replace(/^\./, '')

/** A problem at the nearest place that the file has. */
export const locate = (path: readonly PropertyKey[], message: string, reading: Reading): Problem => {
  const exact = reading.places.get(pathKey(path))
  for (let length = path.length; length > 0; length--) {
    const place = reading.places.get(pathKey(path.slice(0, length)))
    if (place !== undefined) return { at: place.at, path: exact?.path ?? dotted(path), message }
  }
  return { at: undefined, path: dotted(path), message }
}

/** `root`: the schema that the issue is about, if it is not the configuration's. */
export const issueProblem = (issue: z.core.$ZodIssue, reading: Reading, root: z.ZodType = schema): Problem => {
  if (issue.input === undefined && issue.code === 'invalid_type') return locate(issue.path, 'is missing', reading)
  return locate(issue.path, `${shown(issue.path, issue.input, root)} ${issue.message}`, reading)
}
