/**
 * `npm run deb`: a Debian package of what is in this checkout, with its own Node.js, in `.cache/deb/`. To be run after
 * `npm ci`, on the kind of processor it is for; needs `dpkg-deb`. Prints the path.
 */
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join, resolve } from 'node:path'

const root = resolve(import.meta.dirname, '..')
const work = join(root, '.cache/deb')
const debian = join(root, 'systemd/debian')
const installed = '/usr/lib/containerssh'
const shipped = [
  'package.json',
  'package-lock.json',
  'LICENSE',
  'NOTICE.md',
  'README.md',
  'src',
  'docs',
  '.cache/guest',
]
/** Where the package has the files of `systemd/`. */
const units: Readonly<Record<string, string>> = {
  'containerssh.service': '/lib/systemd/system/containerssh.service',
  'containerssh.socket': '/lib/systemd/system/containerssh.socket',
  'containerssh.sysusers': '/usr/lib/sysusers.d/containerssh.conf',
  'containerssh.tmpfiles': '/usr/lib/tmpfiles.d/containerssh.conf',
  'debian/config.yaml': '/etc/containerssh/config.yaml',
}

const run = (command: string, args: readonly string[], cwd = root): string =>
  execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }).trim()

/** The program without what only its making needs. */
function stageProgram(stage: string): void {
  const target = join(stage, installed)
  mkdirSync(target, { recursive: true })
  for (const name of shipped) {
    if (existsSync(join(root, name))) cpSync(join(root, name), join(target, name), { recursive: true })
  }
  run('cp', ['-a', join(root, 'node_modules'), target])
  run('npm', ['prune', '--omit=dev', '--ignore-scripts', '--offline', '--no-audit', '--no-fund'], target)
  // Of libsodium's builds the one that this machine loads.
  const builds = join(target, 'node_modules/sodium-native/prebuilds')
  for (const name of readdirSync(builds)) {
    if (name !== `${process.platform}-${process.arch}`) rmSync(join(builds, name), { recursive: true })
  }
  mkdirSync(join(stage, 'usr/bin'), { recursive: true })
  const command = join(stage, 'usr/bin/containerssh')
  writeFileSync(
    command,
    `#!/bin/sh\nexec ${installed}/node_modules/node/bin/node ${installed}/src/primary/cli.ts "$@"\n`,
  )
  chmodSync(command, 0o755)
}

function stageControl(stage: string, architecture: string): void {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
  const size = run('du', ['-sk', stage]).split('\t')[0] ?? '0'
  const folder = join(stage, 'DEBIAN')
  mkdirSync(folder)
  const control = readFileSync(join(debian, 'control'), 'utf8')
    .replace('@VERSION@', version)
    .replace('@ARCHITECTURE@', architecture)
    .replace('@SIZE@', size)
  writeFileSync(join(folder, 'control'), control)
  writeFileSync(join(folder, 'conffiles'), '/etc/containerssh/config.yaml\n')
  for (const script of ['postinst', 'prerm', 'postrm']) {
    cpSync(join(debian, script), join(folder, script))
    chmodSync(join(folder, script), 0o755)
  }
}

/** Resolves to the path of the package. @throws Error */
export function buildPackage(): string {
  const stage = join(work, 'stage')
  rmSync(work, { recursive: true, force: true })
  stageProgram(stage)
  for (const [name, path] of Object.entries(units)) {
    mkdirSync(join(stage, path, '..'), { recursive: true })
    cpSync(join(root, 'systemd', name), join(stage, path))
  }
  const licence = join(stage, 'usr/share/doc/containerssh')
  mkdirSync(licence, { recursive: true })
  symlinkSync(`${installed}/LICENSE`, join(licence, 'copyright'))
  const architecture = run('dpkg', ['--print-architecture'])
  stageControl(stage, architecture)
  const file = join(work, `containerssh_${architecture}.deb`)
  // As root, whoever builds it; quickly, since most of it is one program that was packed before.
  // Its workers are a user of their own, whatever the umask of whoever cloned this.
  run('chmod', ['-R', 'u+rwX,go+rX,go-w', stage])
  run('dpkg-deb', ['--root-owner-group', '-Zgzip', '-z1', '--build', stage, file])
  rmSync(stage, { recursive: true })
  return file
}

if (import.meta.main) process.stdout.write(`${buildPackage()}\n`)
