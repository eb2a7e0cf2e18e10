/** Debian packages, which root gets installed when they are missing. */
import { readFile } from 'node:fs/promises'
import { QuickstartError } from './failure.ts'
import type { Setting } from './install.ts'
import { findProgram, runProgram } from './programs.ts'

const aptMs = 900_000

const isDebian = async (): Promise<boolean> => {
  try {
    const release = await readFile('/etc/os-release', 'utf8')
    return /^(ID|ID_LIKE)=.*\b(debian|ubuntu)\b/m.test(release)
  } catch {
    return false
  }
}

/** Undefined: they can be installed; else to whom and where that would be possible. */
export const obstacleToPackages = async (): Promise<string | undefined> => {
  if (process.getuid?.() !== 0) return 'run this as root on Debian or Ubuntu to have it installed'
  return (await isDebian()) && (await findProgram('apt-get')) !== undefined ? undefined : 'this is not Debian or Ubuntu'
}

const apt = async (args: readonly string[], { say, signal }: Setting): Promise<void> => {
  const { status, last } = await runProgram('apt-get', args, {
    signal,
    timeoutMs: aptMs,
    env: { DEBIAN_FRONTEND: 'noninteractive' },
    onLine: (line) => {
      if (/^(Need to get|Setting up|Fetched)/.test(line)) say(`  ${line.replace(/ \.\.\.$/, '')}`)
    },
  })
  if (status === 0) return
  throw new QuickstartError(`apt-get ${args.join(' ')} failed:\n  ${last.join('\n  ')}`)
}

/** @throws QuickstartError with the last words of apt */
export const installPackages = async (names: readonly string[], setting: Setting): Promise<void> => {
  await apt(['update'], setting)
  await apt(['install', '-y', '--no-install-recommends', ...names], setting)
}
