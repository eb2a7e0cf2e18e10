/**
 * The programs of a Kubernetes cluster, built from their Go modules: no registry that we can rely on has them ready made.
 * The build takes minutes, so it is kept outside of the checkout, by what it was made from.
 */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { findGo } from '../../../bench/go.ts'
import { locked } from '../locked.ts'
import { step } from '../step.ts'

const source = resolve(import.meta.dirname, 'cluster')
const version = '1.30.14'
const [major, minor] = version.split('.')
const stamp = 'k8s.io/component-base/version'
const flags = [
  '-s',
  '-w',
  `-X ${stamp}.gitVersion=v${version}`,
  `-X ${stamp}.gitMajor=${major}`,
  `-X ${stamp}.gitMinor=${minor}`,
]

/** Six minutes with nothing else on two cores. */
const buildMs = 1_800_000

export interface Programs {
  /** Its first argument says which program it is to be. */
  readonly kube: string
  /** The program of a pod's own container. */
  readonly pause: string
}

const cacheFolder = (): string => {
  const hash = createHash('sha256')
  for (const file of ['main.go', 'go.mod', 'go.sum', 'pause/main.go']) hash.update(readFileSync(join(source, file)))
  const base = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache')
  return join(base, 'containerssh-tests', `kubernetes-${version}-${hash.digest('hex').slice(0, 12)}`)
}

/** @throws Error that says what could not be built. */
export async function buildPrograms(): Promise<Programs> {
  const folder = cacheFolder()
  const programs = { kube: join(folder, 'kube'), pause: join(folder, 'pause') }
  mkdirSync(folder, { recursive: true })
  await locked('kubernetes-build', async () => {
    if (!existsSync(programs.pause)) await build('./pause', programs.pause, 'the pause program')
    if (!existsSync(programs.kube)) await build('.', programs.kube, `Kubernetes ${version} (takes some minutes)`)
  })
  return programs
}

/** A build that was interrupted leaves no half of a program behind. */
async function build(what: string, target: string, name: string): Promise<void> {
  const go = await findGo(resolve(source, '../../../../.cache/bench'))
  const unfinished = `${target}.unfinished`
  const args = ['build', '-C', source, '-trimpath', '-ldflags', flags.join(' '), '-o', unfinished, what]
  if (!(await step(`go build ${name}`, go, args, { CGO_ENABLED: '0' }, buildMs)))
    throw new Error(`${name} cannot be built`)
  renameSync(unfinished, target)
}
