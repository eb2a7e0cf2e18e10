/** The text of a file, its tree, and what is wrong with it as lines. */
import { jsonTree } from './json-tree.ts'
import { ConfigErrors, describe, type Problem } from './problems.ts'
import { readBounded } from './read-bounded.ts'
import { type Node, TreeError } from './tree.ts'
import { yamlTree } from './yaml-tree.ts'

const mostBytes = 4 * 1024 * 1024
/** Told of one file; nobody reads more, and looking into what is left takes time. */
export const mostProblems = 100

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

/** The parts of a file that has no tree are still worth one line each. */
const treeProblems = (error: unknown): Problem[] => {
  if (error instanceof TreeError) return [{ at: error.at, path: '', message: error.message }]
  if (error instanceof AggregateError) return error.errors.flatMap(treeProblems)
  // The YAML library recurses; a hostile file gets no further than this.
  if (error instanceof RangeError) return [{ at: undefined, path: '', message: 'is nested too deeply' }]
  throw error
}

/** Turns the problems of one file into lines, in the order of the file. */
export const reporter = (path: string, source: string) => {
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
export type Reporter = ReturnType<typeof reporter>

/** Fails if there is none. */
export const treeOf = (isJson: boolean, source: string, { fail }: Reporter): Node => {
  try {
    const tree = isJson ? jsonTree(source) : yamlTree(source)
    return tree ?? fail([{ at: undefined, path: '', message: 'is empty' }])
  } catch (error) {
    if (error instanceof ConfigErrors) throw error
    return fail(treeProblems(error))
  }
}
