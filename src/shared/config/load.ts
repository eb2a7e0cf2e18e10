/** A configuration file to a checked `Config`, or everything that is wrong with it. */
import { resolve } from 'node:path'
import type * as z from 'zod'
import type { Fault } from '../codes/fault.ts'
import { hostKeyProblem } from '../private-key.ts'
import { check, type Finding, withoutObsolete } from './checks.ts'
import { readClientFiles } from './client-files.ts'
import { duplicates } from './duplicates.ts'
import { issueProblem, locate } from './issues.ts'
import { readKeys } from './key-files.ts'
import { type Migration, migrate } from './migrate/index.ts'
import { readPem } from './pem.ts'
import type { Problem } from './problems.ts'
import { type Config, schema } from './schema.ts'
import { type Reading, shape } from './shape.ts'
import { mostProblems, type Reporter, readSource, reporter, treeOf } from './source.ts'

export { ConfigErrors } from './problems.ts'
export { readSource } from './source.ts'

export interface Loaded {
  readonly config: Config
  /** One line each, in the form of the errors. */
  readonly warnings: readonly string[]
  /** What was written in an old form and has been translated. */
  readonly deprecations: readonly { readonly line: string; readonly record: Fault }[]
}
export interface LoadOptions {
  /** Values of `backend` that exist. */
  readonly rooms?: readonly string[]
  /** Only what the types of the options tell: no rules over several options, no key files. */
  readonly onlyParse?: boolean
  /** See `Migration`. */
  readonly forPrint?: boolean
}

/** The option that an issue makes unusable: for an item of a list, the whole list. */
const optionPath = ({ path }: z.core.$ZodIssue): PropertyKey[] => {
  const list = path.findIndex((step) => typeof step === 'number')
  return list === -1 ? path : path.slice(0, list)
}

/** The value without these options, so that the rest of it can be checked. */
const without = (value: unknown, paths: readonly (readonly PropertyKey[])[]): unknown => {
  if (paths.some((path) => path.length === 0)) return {}
  if (typeof value !== 'object' || value === null || paths.length === 0) return value
  const kept = Object.entries(value).flatMap(([key, child]): [string, unknown][] => {
    const below = paths.filter((path) => path[0] === key)
    return below.some((path) => path.length === 1)
      ? []
      : [
          [
            key,
            without(
              child,
              below.map((path) => path.slice(1)),
            ),
          ],
        ]
  })
  return Object.fromEntries(kept)
}

const checkHostKeys = async ({ ssh }: Config, findings: Finding[]): Promise<void> => {
  await Promise.all(
    ssh.hostkeys.map(async (entry, index) => {
      const pem = await readPem(entry)
      const problem = pem.problem ?? hostKeyProblem(pem.text)
      if (problem !== undefined) findings.push({ path: ['ssh', 'hostkeys', index], message: `${pem.shown} ${problem}` })
    }),
  )
}

interface Parsed {
  /** Without the options that are wrong. */
  readonly config: Config
  readonly wrong: readonly (readonly PropertyKey[])[]
  readonly problems: readonly Problem[]
  readonly reading: Reading
  readonly deprecations: Loaded['deprecations']
}

/** What the types of the options tell. Fails if there is so much wrong that nothing else is worth a look. */
const parse = (isJson: boolean, source: string, report: Reporter, forPrint = false): Parsed => {
  const tree = treeOf(isJson, source, report)
  const lists = { problems: duplicates(tree), warnings: [] as Problem[] }
  const reading: Reading = { anyCase: isJson, converts: !isJson, isFile: true, places: new Map(), ...lists }
  const old: Migration = { anyCase: isJson, forPrint, deprecations: [], ...lists }
  const value = shape(migrate(tree, old), schema, reading)
  const deprecations = old.deprecations.map(({ record, ...problem }) => {
    const line = report.line(problem)
    return { line, record: record(line) }
  })
  const parsed = schema.safeParse(value, { reportInput: true })
  const issues = parsed.success ? [] : parsed.error.issues
  const problems = [...lists.problems, ...issues.map((issue) => issueProblem(issue, reading))]
  if (problems.length > mostProblems) return report.fail(problems)
  const wrong = issues.map(optionPath)
  const usable = parsed.success ? parsed : schema.safeParse(without(value, wrong))
  return usable.success ? { config: usable.data, wrong, problems, reading, deprecations } : report.fail(problems)
}

/** The same for a text that has been read already. `path` decides the format: `.json`, anything else is YAML. */
export const parseConfig = async (path: string, source: string, options: LoadOptions = {}): Promise<Loaded> => {
  const report = reporter(path, source)
  const {
    config: parsed,
    wrong,
    problems,
    reading,
    deprecations,
  } = parse(path.endsWith('.json'), source, report, options.forPrint)
  if (options.onlyParse === true) {
    if (problems.length > 0) return report.fail(problems)
    return { config: parsed, warnings: report.lines(reading.warnings), deprecations }
  }
  const findings: Finding[] = []
  const config = await readClientFiles(await readKeys(parsed, findings), findings)
  await checkHostKeys(config, findings)
  const { errors, warnings } = check(
    parsed,
    options.rooms ?? ['docker', 'kubernetes', 'sandbox'],
    parsed.configserver.url === '',
  )
  // What stands where a value was taken out is our doing, not the file's.
  const isOurs = ({ path }: Finding) => wrong.some((cut) => cut.every((step, index) => path[index] === step))
  const found = [...findings, ...errors].filter((finding) => !isOurs(finding))
  const all = [...problems, ...found.map(({ path, message }) => locate(path, message, reading))]
  if (all.length > 0) return report.fail(all)
  const warned = [...reading.warnings, ...warnings.map(({ path, message }) => locate(path, message, reading))]
  return { config: withoutObsolete(config), warnings: report.lines(warned), deprecations }
}

/** @throws ConfigErrors with all that is wrong, in the order of the file. */
export const loadConfig = async (path: string, options: LoadOptions = {}): Promise<Loaded> => {
  const file = resolve(path)
  return parseConfig(file, await readSource(file), options)
}
