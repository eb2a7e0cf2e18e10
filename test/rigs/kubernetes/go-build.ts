/**
 * Programs built from their Go modules: no registry that we can rely on has them ready made. A build takes minutes, so it
 * is kept outside of the checkout, by what it was made from.
 */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { findGo } from '../../../scripts/go.ts'
import { locked } from '../locked.ts'
import { step } from '../step.ts'

const buildMs = 1_800_000

export interface GoModule {
  /** Folder of `go.mod`, beside this file. */
  readonly folder: string
  /** What the programs are made from, in that folder. */
  readonly files: readonly string[]
  /** Of the folder in the cache. */
  readonly name: string
}
export interface GoProgram {
  readonly name: string
  /** Its package, as `go build` takes it. */
  readonly package: string
  readonly ldflags: readonly string[]
  /** For whoever waits. */
  readonly about: string
}

/** Builds what is not built yet; the paths, in the same order. @throws Error that says what could not be built. */
export async function buildGo(module: GoModule, programs: readonly GoProgram[]): Promise<string[]> {
  const source = resolve(import.meta.dirname, module.folder)
  const folder = cacheFolder(module, source)
  mkdirSync(folder, { recursive: true })
  await locked(`${module.folder}-build`, async () => {
    for (const program of programs) {
      const target = join(folder, program.name)
      if (!existsSync(target)) await build(source, program, target)
    }
  })
  return programs.map(({ name }) => join(folder, name))
}

function cacheFolder({ name, files }: GoModule, source: string): string {
  const hash = createHash('sha256')
  for (const file of files) hash.update(readFileSync(join(source, file)))
  const base = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache')
  return join(base, 'containerssh-tests', `${name}-${hash.digest('hex').slice(0, 12)}`)
}

/** A build that was interrupted leaves no half of a program behind. */
async function build(source: string, { package: what, ldflags, about }: GoProgram, target: string): Promise<void> {
  const go = await findGo(resolve(import.meta.dirname, '../../../.cache/bench'))
  const unfinished = `${target}.unfinished`
  const flags = ['-s', '-w', ...ldflags].join(' ')
  const args = ['build', '-C', source, '-trimpath', '-ldflags', flags, '-o', unfinished, what]
  if (!(await step(`go build ${about}`, go, args, { CGO_ENABLED: '0' }, buildMs)))
    throw new Error(`${about} cannot be built`)
  renameSync(unfinished, target)
}
