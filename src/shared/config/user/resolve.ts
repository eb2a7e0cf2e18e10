/** The configuration of one user: the file's with an answer of the configuration server over it, checked like a file. */
import type * as z from 'zod'
import { type Fault, fault } from '../../codes/fault.ts'
import { check, type Finding } from '../checks.ts'
import { issueProblem, locate } from '../issues.ts'
import { type Migration, migrate } from '../migrate/index.ts'
import type { Problem } from '../problems.ts'
import { type Config, schema } from '../schema.ts'
import { type Reading, shape } from '../shape.ts'
import type { Mapping, Node } from '../tree.ts'
import { differences, merge } from './merge.ts'
import { isZeroNode, nodeOf } from './node.ts'
import { isOwnOption, ownLimits, wholeSections } from './settings.ts'

export type Resolved =
  | {
      readonly config: Config
      /** Options that were left alone, passed on unchecked, or written in an old form. */
      readonly warnings: readonly Fault[]
    }
  /** One line each, with the option's name first. */
  | { readonly problems: readonly string[]; readonly option: string }

export interface Rules {
  /** Values of `backend` that exist. */
  readonly rooms: readonly string[]
  readonly merge: Config['configserver']['merge']
  readonly ignoreOtherOptions: boolean
}

const line = ({ path, message }: Problem): string => (path === '' ? `it ${message}` : `${path}: ${message}`)
const refused = (problems: readonly Problem[]): Resolved => ({
  problems: [...new Set(problems.map(line))],
  option: problems[0]?.path ?? '',
})

/** `base` has passed the same checks. `answer`: what the server has under `config`. */
export function resolve(base: Config, answer: unknown, rules: Rules): Resolved {
  let tree: Node
  try {
    tree = nodeOf(answer)
  } catch (error) {
    return refused([{ at: 0, path: '', message: error instanceof Error ? error.message : String(error) }])
  }
  const isPresent = rules.merge === 'present'
  const reading: Reading = {
    anyCase: true,
    converts: false,
    problems: [],
    warnings: [],
    places: new Map(),
    ...(isPresent ? { keepsNull: true } : { tolerates: isZeroNode }),
  }
  if (tree.kind !== 'map') return refused([{ at: 0, path: '', message: 'is not an object' }])
  const { problems: wrong, warnings } = reading
  const old: Migration = { anyCase: true, forPrint: false, deprecations: [], problems: wrong, warnings }
  const written = migrate(isPresent ? tree : withoutZeros(tree), old)
  const merged = merge(schema, base, shape(written, schema, reading), rules.merge) as Merged // keys of the schema only
  const others = otherOptions(base, merged, reading)
  const chosen = choose(base, merged)
  const parsed = parse(base, chosen, reading)
  const problems = [...reading.problems, ...(rules.ignoreOtherOptions ? [] : others), ...parsed.problems]
  if (problems.length > 0) return refused(problems)
  const { errors } = check(parsed.config, rules.rooms)
  const own = errors.filter(({ path }: Finding) => isOwnOption(path.map(String)))
  if (own.length > 0) return refused(own.map(({ path, message }) => locate(path, message, reading)))
  const ignored = [...others, ...warnings].map((problem) =>
    fault('CONFIG_OPTION_IGNORED', {}, { cause: line(problem) }),
  )
  return { config: parsed.config, warnings: [...ignored, ...old.deprecations.map((one) => one.record(line(one)))] }
}

const sectionNames = new Set(Object.keys(schema.unwrap().shape).map((name) => name.toLowerCase()))
/** Without the old sections that the Go program's library sends although they set nothing. */
const withoutZeros = (tree: Mapping): Mapping => ({
  ...tree,
  entries: tree.entries.filter(({ key, value }) => sectionNames.has(key.toLowerCase()) || !isZeroNode(value)),
})

type Merged = Readonly<Record<string, unknown>>
type Section = (typeof wholeSections)[number] | 'log' | 'limits'

function otherOptions(base: Config, merged: Merged, reading: Reading): Problem[] {
  return [...differences(base, merged)]
    .filter((path) => !isOwnOption(path))
    .map((path) => locate(path, 'cannot be set per user; expected in the configuration file only', reading))
}

/** What can be set per user and is not as in the file. */
function choose(base: Config, merged: Merged): ReadonlyMap<Section, unknown> {
  const chosen = new Map<Section, unknown>()
  for (const name of wholeSections) if (merged[name] !== base[name]) chosen.set(name, merged[name])
  const partly = (name: 'log' | 'limits', options: readonly string[]): void => {
    const section = merged[name] as Merged | undefined
    const changed = options.filter((option) => section?.[option] !== (base[name] as Merged)[option])
    if (changed.length === 0) return
    const own = Object.fromEntries(changed.map((option) => [option, section?.[option]]))
    chosen.set(name, { ...base[name], ...own })
  }
  partly('log', ['level'])
  partly('limits', ownLimits)
  return chosen
}

function parse(base: Config, chosen: ReadonlyMap<Section, unknown>, reading: Reading) {
  const problems: Problem[] = []
  const sections: [string, unknown][] = []
  const shapes: Readonly<Record<Section, z.ZodType>> = schema.unwrap().shape
  for (const [name, value] of chosen) {
    const parsed = shapes[name].safeParse(value, { reportInput: true })
    if (parsed.success) sections.push([name, parsed.data])
    else {
      const issues = parsed.error.issues.map((issue) => ({ ...issue, path: [name, ...issue.path] }))
      problems.push(...issues.map((issue) => issueProblem(issue, reading)))
    }
  }
  const config: Config = sections.length === 0 ? base : { ...base, ...Object.fromEntries(sections) }
  return { config, problems }
}
