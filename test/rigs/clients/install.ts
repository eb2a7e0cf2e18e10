/** The clients that Debian does not have, or has too old: Python libraries from PyPI, a Go program from its module. */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { findGo } from '../../../scripts/go.ts'
import { step } from '../step.ts'

const cache = resolve(import.meta.dirname, '../../../.cache')
const venv = resolve(cache, 'clients')
const goSource = resolve(import.meta.dirname, 'go')
const pythonPackages = ['asyncssh==2.24.1', 'paramiko==5.1.0']

/** Of the virtual environment that holds the libraries. */
export const python = resolve(venv, 'bin/python')
export const goClient = resolve(cache, 'clients-go/client')

/** Does the work unless its result is there, made from the same content. */
async function once(result: string, content: string, work: () => Promise<boolean>): Promise<boolean> {
  const stamp = `${result}.made-from`
  const hash = createHash('sha256').update(content).digest('hex')
  if (existsSync(result) && existsSync(stamp) && readFileSync(stamp, 'utf8') === hash) return true
  rmSync(stamp, { force: true })
  if (!(await work())) return false
  writeFileSync(stamp, hash)
  return true
}

async function pythonClients(): Promise<void> {
  const ok = await once(
    python,
    pythonPackages.join(' '),
    async () =>
      (await step('python3 -m venv', 'python3', ['-m', 'venv', '--clear', venv])) &&
      (await step(`pip install ${pythonPackages.join(' ')}`, `${venv}/bin/pip`, ['install', '-q', ...pythonPackages])),
  )
  if (!ok) throw new Error(`the tests need these packages from PyPI: ${pythonPackages.join(', ')}`)
}

async function goClients(): Promise<void> {
  const sources = readdirSync(goSource).map((name) => readFileSync(join(goSource, name), 'utf8'))
  const ok = await once(goClient, sources.join(''), async () => {
    const go = await findGo(resolve(cache, 'bench'))
    mkdirSync(resolve(goClient, '..'), { recursive: true })
    return step('go build the client of the tests', go, ['build', '-C', goSource, '-o', goClient, '.'])
  })
  if (!ok) throw new Error(`the Go client of the tests in ${goSource} cannot be built`)
}

/** Needs python3-venv. Throws an Error that says what is missing. */
export async function installClients(): Promise<void> {
  await pythonClients()
  await goClients()
}
