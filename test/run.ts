/**
 * `npm test`: everything, in one command, on a machine that has nothing but Node, npm and root on Debian.
 * Installs what the real clients and servers of the tests need, checks types and style, runs the unit tests and then the
 * end-to-end tests, and ends with a line `N passed, N failed, N skipped`.
 *
 * `npm test -- PATTERN...` runs only the test files whose path contains one of the patterns.
 */
import { globSync, mkdirSync, rmSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { resolve } from 'node:path'
import { run } from 'node:test'
import { spec } from 'node:test/reporters'
import { codesReport } from './codes.ts'
import { failureText } from './failures.ts'
import { buildDaemonImage } from './rigs/daemon-image.ts'
import { buildPrograms } from './rigs/kubernetes/binary.ts'
import { buildTools } from './rigs/kubernetes/tools.ts'
import { prepare } from './rigs/prepare.ts'
import { step } from './rigs/step.ts'

const root = resolve(import.meta.dirname, '..')
const codesDir = resolve(root, '.cache/codes')
const execArgv = ['--import', resolve(root, 'test/rigs/test-process.ts')]
const patterns = process.argv.slice(2).filter((argument) => !argument.startsWith('-'))

interface Tally {
  passed: number
  failed: number
  skipped: number
  /** What failed, to be told at the end. */
  readonly failures: string[]
}

const emptyTally = (): Tally => ({ passed: 0, failed: 0, skipped: 0, failures: [] })

/** Runs test files, each in its own process; a suite counts as its tests, a file that dies counts as one failure. */
async function runFiles(files: readonly string[], concurrency: number, timeoutMs: number): Promise<Tally> {
  const tally = emptyTally()
  if (files.length === 0) return tally
  // Its tests and hooks have their say first.
  process.env['TEST_FILE_LIMIT_MS'] = String(timeoutMs + 30_000)
  const events = run({ files: [...files], concurrency, timeout: timeoutMs, cwd: root, execArgv })
  events.on('test:pass', (event) => {
    if (event.details.type === 'suite') return
    if (event.skip !== undefined || event.todo !== undefined) tally.skipped++
    else tally.passed++
  })
  events.on('test:fail', (event) => {
    if (event.details.type === 'suite') return
    tally.failed++
    tally.failures.push(failureText(event, root))
  })
  for await (const line of events.compose(new spec())) process.stdout.write(line)
  return tally
}

const wanted = (file: string): boolean => patterns.length === 0 || patterns.some((pattern) => file.includes(pattern))
const find = (glob: string): string[] => globSync(glob, { cwd: root }).filter(wanted).sort()

async function main(): Promise<number> {
  const total = emptyTally()
  rmSync(codesDir, { recursive: true, force: true })
  mkdirSync(codesDir, { recursive: true })
  process.env['CODES_DIR'] = codesDir
  await prepare()
  if (!process.env['KUBECONFIG'] && find('test/e2e/kubernetes/*.e2e.ts').length > 0) await buildPrograms()
  if (find('test/e2e/kubernetes/{chart,helm}.e2e.ts').length > 0) await buildTools()
  if (find('test/e2e/kubernetes/helm.e2e.ts').length > 0) await buildDaemonImage()
  const checks: readonly (readonly [string, readonly string[]])[] = [
    ['types', ['tsc', '--noEmit']],
    ['lint and format', ['biome', 'ci', '--max-diagnostics=50', '.']],
  ]
  for (const [name, [command, ...args]] of checks) {
    const ok = await step(name, command ?? '', args)
    if (ok) total.passed++
    else total.failed++
  }
  const suites = [
    { files: find('test/**/*.test.ts'), concurrency: availableParallelism(), timeoutMs: 300_000 },
    // End-to-end tests own the machine one at a time: each starts daemons, kills them and counts containers.
    { files: find('test/e2e/**/*.e2e.ts'), concurrency: 1, timeoutMs: 600_000 },
  ]
  for (const suite of suites) {
    const tally = await runFiles(suite.files, suite.concurrency, suite.timeoutMs)
    total.passed += tally.passed
    total.failed += tally.failed
    total.skipped += tally.skipped
    total.failures.push(...tally.failures)
  }
  const codes = await codesReport(codesDir)
  process.stdout.write(`${codes.text}\n`)
  if (codes.unknown.length > 0) total.failed++
  if (patterns.length === 0 && codes.missing.length > 0) {
    process.stdout.write(`✖ codes that no test provokes any more: ${codes.missing.join(' ')}\n`)
    total.failed++
  }
  // With CI=true nothing may be skipped: a skip there hides a missing rig.
  if (process.env['CI'] === 'true' && total.skipped > 0) total.failed++
  for (const failure of total.failures) process.stdout.write(`${failure}\n`)
  process.stdout.write(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped\n`)
  return total.failed === 0 && total.passed > 0 ? 0 : 1
}

process.exitCode = await main()
