/**
 * `npm run guest`: builds the guest helper (folder `guest/`) into `.cache/guest/`, one static program for each kind of
 * processor that containers may have; with `--here` only the one for this machine, which is what `npm ci` does. Nothing is
 * built that was built from the same sources before.
 */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { findGo } from './go.ts'

const source = resolve(import.meta.dirname, '../guest')
const target = resolve(import.meta.dirname, '../.cache/guest')
/** As Go names them, and the Docker Engine API. */
export const architectures = ['amd64', 'arm64'] as const
export type Architecture = (typeof architectures)[number]
const here: Architecture = process.arch === 'arm64' ? 'arm64' : 'amd64'
/** What `npm run bench` uses, too. */
const cache = resolve(import.meta.dirname, '../.cache/bench')
const buildMs = 600_000

export const guestBinary = (architecture: Architecture): string => join(target, `containerssh-agent-${architecture}`)

/** `go`: path of a Go toolchain. Gives the paths of what was built; nothing if all was there. @throws Error */
export async function buildGuest(go: string, wanted: readonly Architecture[] = architectures): Promise<string[]> {
  const hash = sourceHash()
  const missing = outdated(wanted, hash)
  mkdirSync(target, { recursive: true })
  for (const architecture of missing) {
    const path = guestBinary(architecture)
    // Another process may be building, too: whoever is last wins, and neither sees half a program.
    const unfinished = `${path}.${process.pid}`
    const flags = ['-trimpath', '-buildvcs=false', '-ldflags', '-s -w -buildid=', '-o', unfinished]
    const env = { ...process.env, CGO_ENABLED: '0', GOOS: 'linux', GOARCH: architecture, GOFLAGS: '-mod=readonly' }
    await promisify(execFile)(go, ['build', '-C', source, ...flags, '.'], { env, timeout: buildMs })
    renameSync(unfinished, path)
    writeFileSync(stampOf(path), hash)
  }
  return missing.map(guestBinary)
}

const outdated = (wanted: readonly Architecture[], hash: string): Architecture[] =>
  wanted.filter((one) => !isMadeFrom(guestBinary(one), hash))
const stampOf = (path: string): string => `${path}.made-from`
const isMadeFrom = (path: string, hash: string): boolean =>
  existsSync(path) && existsSync(stampOf(path)) && readFileSync(stampOf(path), 'utf8') === hash

function sourceHash(): string {
  const hash = createHash('sha256').update(readFileSync(import.meta.filename))
  const names = readdirSync(source, { recursive: true, encoding: 'utf8' }).sort()
  for (const name of names) {
    if (!/(\.go|go\.mod|go\.sum)$/.test(name) || name.endsWith('_test.go')) continue
    hash.update(`${name}\0`).update(readFileSync(join(source, name)))
  }
  return hash.digest('hex')
}

const withoutGo = `
The guest helper is written in Go. Install Go 1.26 or later (https://go.dev/dl/, or your distribution's package), or
python3-venv, and run this again; or run it on another machine, copy .cache/guest/ from there, and name the copies in
docker.execution.agentBinary or sandbox.agentBinary. Images that have the helper inside need nothing of this.
`

async function main(words: readonly string[]): Promise<number> {
  const wanted = words.includes('--here') ? [here] : architectures
  let built: string[] = []
  try {
    if (outdated(wanted, sourceHash()).length > 0) built = await buildGuest(await findGo(cache), wanted)
  } catch (error) {
    process.stderr.write(`${reasonOf(error)}\n${withoutGo}`)
    return 1
  }
  for (const architecture of wanted) {
    const path = guestBinary(architecture)
    process.stdout.write(`${built.includes(path) ? 'built' : 'up to date'}: ${path}\n`)
  }
  return 0
}

/** With what the program wrote that failed. */
const reasonOf = (error: unknown): string =>
  error instanceof Error
    ? [error.message, ...(error.cause === undefined ? [] : [reasonOf(error.cause)])].join('\n')
    : ''

if (import.meta.main) process.exitCode = await main(process.argv.slice(2))
