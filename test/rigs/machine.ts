/**
 * A machine with systemd as its first process: systemd-nspawn on a copy of this one's file system, of which nothing stays.
 * It has a network of its own, and of the host only what is bound into it. Needs root.
 */
import { execFileSync, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { children, until } from './daemon.ts'

export interface Machine extends AsyncDisposable {
  /** Runs in it to the end. @throws Error with what it wrote, when its exit status is not 0 */
  run(command: string, input?: string): string
  /** The same, with the exit status instead of an error. */
  tries(command: string): { readonly status: number; readonly output: string }
  /** In front of a command of the host, it has the machine's network. */
  readonly network: readonly string[]
}

const bootMs = 60_000
const commandMs = 120_000
/** Boots nothing but what systemd needs itself, instead of every service that this machine has. */
const target = '[Unit]\nDescription=Machine of a test\nRequires=basic.target\nAfter=basic.target\nAllowIsolate=yes\n'

/** `binds`: files and folders of the host that are there under the same name, read-only or, with a `+` in front, writable. */
export async function bootMachine(binds: readonly string[] = []): Promise<Machine> {
  const folder = mkdtempSync(join(tmpdir(), 'containerssh-machine-'))
  writeFileSync(join(folder, 'test.target'), target)
  const root = overlay(folder)
  const name = folder.split('-').at(-1) ?? ''
  const args = [
    ...['--register=no', '--keep-unit', `--directory=${root}`, '--boot', '--private-network'],
    ...['--console=read-only', `--machine=rig${name}`],
    `--bind-ro=${join(folder, 'test.target')}:/run/systemd/system/test.target`,
    ...binds.map((path) => (path.startsWith('+') ? `--bind=${path.slice(1)}` : `--bind-ro=${path}`)),
    ...['systemd.unit=test.target', 'systemd.firstboot=no', 'systemd.mask=dev-hugepages.mount'],
  ]
  const nspawn = spawn('systemd-nspawn', args, { stdio: ['ignore', 'ignore', 'pipe'] })
  let complaint = ''
  nspawn.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint += text
  })
  const leader = await until(
    'a machine',
    () => {
      if (nspawn.exitCode !== null) throw new Error(`no machine: ${complaint}`)
      return children(nspawn.pid ?? 0).find(isSystemd)
    },
    bootMs,
  )
  const inside = ['nsenter', '-t', String(leader), '-a']
  const exec = (command: string, input = ''): string => {
    const [program = '', ...rest] = inside
    return execFileSync(program, [...rest, '/bin/sh', '-c', command], {
      encoding: 'utf8',
      stdio: 'pipe',
      input,
      timeout: commandMs,
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', HOME: '/root' },
    })
  }
  const tries = (command: string): { status: number; output: string } => {
    try {
      return { status: 0, output: exec(`exec 2>&1; ${command}`) }
    } catch (error) {
      const { status, stdout } = error as { status: number | null; stdout: string }
      return { status: status ?? -1, output: stdout }
    }
  }
  await until('systemd', () => tries('systemctl is-active test.target').output.trim() === 'active', bootMs)
  exec('ip link set lo up')
  return {
    network: ['nsenter', '-t', String(leader), '-n'],
    tries,
    run(command, input) {
      try {
        return exec(command, input)
      } catch (error) {
        const { stderr, stdout } = error as { stderr: string; stdout: string }
        throw new Error(`${command}: ${stderr}${stdout}`, { cause: error })
      }
    },
    async [Symbol.asyncDispose]() {
      const ended = new Promise((resolve) => nspawn.once('exit', resolve))
      // systemd(1): halts the machine.
      process.kill(leader, 37) // SIGRTMIN+3
      const late = setTimeout(() => nspawn.kill('SIGKILL'), 30_000)
      await ended
      clearTimeout(late)
      for (const path of [root, join(folder, 'changes')]) execFileSync('umount', [path])
      rmSync(folder, { recursive: true })
    },
  }
}

/** Its first children only prepare for it. */
function isSystemd(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8') === 'systemd\n'
  } catch {
    return false // it has gone
  }
}

/** This machine's files; what is changed is in memory. */
function overlay(folder: string): string {
  const [root, changes] = [join(folder, 'root'), join(folder, 'changes')]
  for (const path of [root, changes]) mkdirSync(path)
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2g,mode=0755', 'containerssh-test', changes])
  const [upper, work] = [join(changes, 'upper'), join(changes, 'work')]
  for (const path of [upper, work]) mkdirSync(path)
  execFileSync('mount', [
    '-t',
    'overlay',
    '-o',
    `lowerdir=/,upperdir=${upper},workdir=${work}`,
    'containerssh-test',
    root,
  ])
  return root
}
