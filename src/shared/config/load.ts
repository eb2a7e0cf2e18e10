/** A configuration file to a checked `Config`, or everything that is wrong with it. */
import { resolve } from 'node:path'
import type * as z from 'zod'
import type { Fault } from '../codes/fault.ts'
import { hostKeyProblem } from '../private-key.ts'
import { check, type Finding, withoutObsolete } from './checks.ts'
import { readClientFiles } from './client-files.ts'
import { issueProblem, locate } from './issues.ts'
import { jsonTree } from './json-tree.ts'
import { readKeys } from './key-files.ts'
import { type Migration, migrate } from './migrate/index.ts'
import { readPem } from './pem.ts'
import { ConfigErrors, describe, type Problem } from './problems.ts'
import { readBounded } from './read-bounded.ts'
import { type Config, schema } from './schema.ts'
import { type Reading, shape } from './shape.ts'
import { type Node, TreeError } from './tree.ts'
import { yamlTree } from './yaml-tree.ts'

export { ConfigErrors } from './problems.ts'

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
}

const mostBytes = 4 * 1024 * 1024
/** Told of one file; nobody reads more, and looking into what is left takes time. */
const mostProblems = 100

/** The parts of a file that has no tree are still worth one line each. */
const treeProblems = (error: unknown): Problem[] => {
  if (error instanceof TreeError) return [{ at: error.at, path: '', message: error.message }]
  if (error instanceof AggregateError) return error.errors.flatMap(treeProblems)
  // The YAML library recurses; a hostile file gets no further than this.
  if (error instanceof RangeError) return [{ at: undefined, path: '', message: 'is nested too deeply' }]
  throw error
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

/** Turns the problems of one file into lines, in the order of the file. */
const reporter = (path: string, source: string) => {
  const line = (problem: Problem): string => describe(path, source, problem)
  const lines = (problems: readonly Problem[]): string[] => {
    const inOrder = problems.toSorted((a, b) => (a.at ?? source.length) - (b.at ?? source.length))
    const told = new Set(inOrder.slice(0, mostProblems).map(line))
    const more = problems.length - mostProblems
    return more > 0 ? [...told, line({ at: undefined, path: '', message: `and ${more} more` })] : [...told]
  }
  const fail = (problems: readonly Problem[]): never => {
    throw new ConfigErrors(path, lines(problems))
  }
  return { line, lines, fail }
}
type Reporter = ReturnType<typeof reporter>

const treeOf = (isJson: boolean, source: string, { fail }: Reporter): Node => {
  try {
    const tree = isJson ? jsonTree(source) : yamlTree(source)
    return tree ?? fail([{ at: undefined, path: '', message: 'is empty' }])
  } catch (error) {
    if (error instanceof ConfigErrors) throw error
    return fail(treeProblems(error))
  }
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
const parse = (isJson: boolean, source: string, report: Reporter): Parsed => {
  const tree = treeOf(isJson, source, report)
  const lists = { problems: [] as Problem[], warnings: [] as Problem[] }
  const reading: Reading = { anyCase: isJson, converts: !isJson, isFile: true, places: new Map(), ...lists }
  const old: Migration = { anyCase: isJson, deprecations: [], ...lists }
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
  const { config: parsed, wrong, problems, reading, deprecations } = parse(path.endsWith('.json'), source, report)
  if (options.onlyParse === true) {
    if (problems.length > 0) return report.fail(problems)
    return { config: parsed, warnings: report.lines(reading.warnings), deprecations }
  }
  const findings: Finding[] = []
  const config = await readClientFiles(await readKeys(parsed, findings), findings)
  await checkHostKeys(config, findings)
  const { errors, warnings } = check(parsed, options.rooms ?? ['docker'], parsed.configserver.url === '')
  // What stands where a value was taken out is our doing, not the file's.
  const isOurs = ({ path }: Finding) => wrong.some((cut) => cut.every((step, index) => path[index] === step))
  const found = [...findings, ...errors].filter((finding) => !isOurs(finding))
  const all = [...problems, ...found.map(({ path, message }) => locate(path, message, reading))]
  if (all.length > 0) return report.fail(all)
  const warned = [...reading.warnings, ...warnings.map(({ path, message }) => locate(path, message, reading))]
  return { config: withoutObsolete(config), warnings: report.lines(warned), deprecations }
}

/** @throws ConfigErrors if the file cannot be read or is too large. */
export const readSource = async (path: string): Promise<string> => {
  try {
    const bytes = await readBounded(path, mostBytes)
    if (bytes === undefined) throw new ConfigErrors(path, [`${path}: is larger than 4 MiB`])
    return bytes.toString('utf8').replace(/^\ufeff/, '')
  } catch (error) {
    if (error instanceof ConfigErrors) throw error
    const reason = error instanceof Error ? error.message : String(error)
    throw new ConfigErrors(path, [`${path}: cannot be read (${reason})`])
  }
}

/** @throws ConfigErrors with all that is wrong, in the order of the file. */
export const loadConfig = async (path: string, options: LoadOptions = {}): Promise<Loaded> => {
  const file = resolve(path)
  return parseConfig(file, await readSource(file), options)
}
