/** `containerssh migrate-config`: the configuration file in the form of this version, as YAML. */
import { isDeepStrictEqual } from 'node:util'
import { canonical } from '../shared/config/canonical.ts'
import { jsonTree } from '../shared/config/json-tree.ts'
import { ConfigErrors, parseConfig, readSource } from '../shared/config/load.ts'
import { type Migration, migrate } from '../shared/config/migrate/index.ts'
import { asYaml, withChange } from '../shared/config/migrate/print.ts'
import { schema } from '../shared/config/schema.ts'

export interface Migrated {
  readonly text: string
  /** What was written in an old form, and what has no effect: one line each. */
  readonly warnings: readonly string[]
}

const migrated = (path: string, source: string): string => {
  const anyCase = path.endsWith('.json')
  const migration: Migration = { anyCase, forPrint: true, problems: [], warnings: [], deprecations: [] }
  if (!anyCase) return withChange(source, (tree) => migrate(tree, migration))
  const tree = jsonTree(source)
  return tree === undefined ? '' : asYaml(canonical(migrate(tree, migration), schema))
}

/** @throws ConfigErrors if the file cannot be used, or is written so that the new form would not mean the same. */
export const migrateConfig = async (path: string): Promise<Migrated> => {
  const source = await readSource(path)
  const before = await parseConfig(path, source, { onlyParse: true, forPrint: true })
  const text = migrated(path, source)
  const after = await parseConfig(`${path}.yaml`, text, { onlyParse: true })
  if (!isDeepStrictEqual(after.config, before.config)) {
    throw new ConfigErrors(path, [`${path}: cannot be written in the new form without changing what it means`])
  }
  return { text, warnings: [...before.warnings, ...before.deprecations.map(({ line }) => line)] }
}
