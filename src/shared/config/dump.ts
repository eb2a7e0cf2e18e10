/** A configuration as text in the form of a file, every option of it. */
import type * as z from 'zod'
import { formatDuration } from './duration.ts'
import { type Config, schema } from './schema.ts'
import { core } from './shape.ts'
import { yamlText } from './yaml-text.ts'

/** Stands for a secret; not loadable by accident, because it is no hash, key or address. */
const mask = '<secret>'

const fileForm = (value: unknown, declared: z.ZodType | undefined, showSecrets: boolean): unknown => {
  if (declared === undefined) return value
  const { schema: inner, kind } = core(declared)
  if (kind?.form === 'duration' && typeof value === 'number') return formatDuration(value)
  if (kind?.secret && !showSecrets && value !== '') return mask
  const def = inner.def as { shape?: Record<string, z.ZodType>; element?: z.ZodType; valueType?: z.ZodType }
  if (Array.isArray(value)) return value.map((item) => fileForm(item, def.element, showSecrets))
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).filter(([, child]) => child !== undefined)
  return Object.fromEntries(
    entries.map(([key, child]) => [key, fileForm(child, def.shape?.[key] ?? def.valueType, showSecrets)]),
  )
}

/** YAML that `loadConfig` reads back to the same configuration, if secrets are shown. */
export const dumpConfig = (config: Config, options: { readonly showSecrets?: boolean } = {}): string =>
  yamlText(fileForm(config, schema, options.showSecrets ?? false), { indent: 4 })
