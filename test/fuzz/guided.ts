/**
 * `npm run fuzz -- TARGET SECONDS` (`all` for every target): keeps and changes the inputs that reach code which nothing
 * has reached before. An input that finds a bug is kept in the corpus; then the status is 1.
 */
import { randomInt } from 'node:crypto'
import { pathToFileURL } from 'node:url'
import { keepInput, readCorpus } from './corpus.ts'
import { startCoverage } from './coverage.ts'
import { mutated } from './mutate.ts'
import { targets } from './targets/index.ts'

/** Inputs between two looks at the coverage. */
const batchSize = 500
const source = pathToFileURL(`${process.cwd()}/src/`).href
const [name = '', seconds = '60'] = process.argv.slice(2)
const names = name === 'all' ? Object.keys(targets) : [name]
const say = (line: string): void => void process.stdout.write(`${line}\n`)

async function fuzz(name: string, forMs: number): Promise<boolean> {
  const target = targets[name]
  if (target === undefined) throw new Error(`no target ${name}; there are ${Object.keys(targets).join(', ')}`)
  const coverage = startCoverage((url) => url.startsWith(source))
  const pool: Buffer[] = []
  const until = performance.now() + forMs
  let runs = 0
  const pick = (): Buffer =>
    pool[randomInt(2) === 0 ? randomInt(pool.length) : Math.max(0, pool.length - 1 - randomInt(8))] ?? Buffer.alloc(0)
  const run = async (input: Buffer): Promise<boolean> => {
    try {
      await target.run(Buffer.from(input))
      runs++
      return true
    } catch (error) {
      say(`${name}: a bug, the input is kept in ${keepInput(name, input)}: ${String(error)}`)
      return false
    }
  }
  for (const seed of readCorpus(name)) {
    if (!(await run(seed))) return false
    coverage.fresh(true)
    pool.push(seed)
  }
  /** Looks are dear: first at all of them, then at the halves of those among which is something new. */
  const hunt = async (inputs: readonly Buffer[]): Promise<boolean> => {
    for (const input of inputs) if (!(await run(input))) return false
    const [only] = inputs
    if (coverage.fresh(inputs.length === 1) === 0 || only === undefined) return true
    if (inputs.length === 1) {
      pool.push(only)
      return true
    }
    const half = inputs.length >> 1
    return (await hunt(inputs.slice(0, half))) && (await hunt(inputs.slice(half)))
  }
  while (performance.now() < until) {
    if (!(await hunt(Array.from({ length: batchSize }, () => mutated(pick(), pick(), target.mostBytes))))) return false
    // Signals get their turn.
    await new Promise(setImmediate)
  }
  say(`${name}: ${runs} runs, ${coverage.seen} blocks reached, ${pool.length} inputs that reached something new`)
  return true
}

for (const one of names) if (!(await fuzz(one, Number(seconds) * 1000))) process.exitCode = 1
