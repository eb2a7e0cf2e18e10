/** Prometheus's own checker, out of Debian's package: unpacked, not installed, since that would start a server. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { locked } from './locked.ts'
import { step } from './step.ts'

const folder = resolve(import.meta.dirname, '../../.cache/promtool')
const program = join(folder, 'usr/bin/promtool')

/** @throws Error when the package cannot be had */
export async function installPromtool(): Promise<void> {
  await locked('promtool', async () => {
    if (existsSync(program)) return
    const download = mkdtempSync(join(tmpdir(), 'containerssh-promtool-'))
    const unpack = async (): Promise<boolean> => {
      const [file] = readdirSync(download).filter((name) => name.endsWith('.deb'))
      return file !== undefined && step('dpkg-deb -x', 'dpkg-deb', ['-x', join(download, file), folder])
    }
    const fetch = (): Promise<boolean> =>
      step('apt-get download prometheus', 'apt-get', ['download', '-q', 'prometheus'], {}, 600_000, download)
    const got = (await fetch()) || ((await step('apt-get update', 'apt-get', ['update', '-qq'])) && (await fetch()))
    const done = got && (await unpack())
    rmSync(download, { recursive: true })
    if (!done) throw new Error("the tests need promtool of Debian's package prometheus")
  })
}

export interface Checked {
  readonly status: number | null
  readonly output: string
}

export async function promtool(args: readonly string[], input?: string): Promise<Checked> {
  await installPromtool()
  const { status, stdout, stderr } = spawnSync(program, args, { input, encoding: 'utf8', timeout: 60_000 })
  return { status, output: stdout + stderr }
}
