/**
 * The daemon's own image, made by its recipe. The recipe begins with Debian's image, which only a registry of images
 * has; the tests begin with what `debootstrap` makes out of the same packages.
 */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { helper } from '../guest/program.ts'
import { call, engine } from './docker.ts'
import { locked } from './locked.ts'
import { step } from './step.ts'

const root = resolve(import.meta.dirname, '../..')
const base = { repo: 'containerssh-test/debian-slim', tag: 'trixie' }
export const daemonImage = { repository: 'containerssh-test/daemon', tag: '1' }
/** As on this machine: a proxy in between may speak with certificates of its own. */
const authorities = '/usr/local/share/ca-certificates'
const buildMs = 1_800_000

/** Minutes the first time; seconds when only sources of the daemon have changed. Resolves with the name. */
export async function buildDaemonImage(): Promise<string> {
  const name = `${daemonImage.repository}:${daemonImage.tag}`
  await helper()
  await locked('daemon-image', async () => {
    const { host } = await engine()
    const recipe = ['-f', 'deploy/image/Dockerfile', '--build-arg', `BASE=${await debianSlim()}`]
    // The builder that every engine has. The network of the machine, which is there whatever the engine's own is like.
    const args = ['--host', host, 'build', '--quiet', '--network', 'host', ...recipe, '-t', name, root]
    const env = { DOCKER_BUILDKIT: '0' }
    if (!(await step(`docker build ${name} (minutes the first time)`, 'docker', args, env, buildMs, root)))
      throw new Error(`${name} cannot be built`)
  })
  return name
}

async function debianSlim(): Promise<string> {
  const { socketPath } = await engine()
  const name = `${base.repo}:${base.tag}`
  const content = contentHash()
  const present = await call(socketPath, 'GET', `/images/${name}/json`)
  if (present.status === 200 && present.body.includes(content)) return name
  const folder = mkdtempSync(join(tmpdir(), 'containerssh-debian-'))
  try {
    const args = ['--variant=minbase', base.tag, folder]
    if (!(await step('debootstrap (a minute)', 'debootstrap', args))) throw new Error('debootstrap failed')
    trim(folder)
    const query = new URLSearchParams({ fromSrc: '-', ...base, changes: `LABEL containerssh-test=${content}` })
    const tar = execFileSync('tar', ['-c', '--numeric-owner', '-C', folder, '.'], { maxBuffer: 1 << 30 })
    const answer = await call(socketPath, 'POST', `/images/create?${query}`, tar)
    if (answer.status !== 200 || answer.body.includes('"error"'))
      throw new Error(`cannot import ${name}: ${answer.body}`)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  return name
}

/** As Debian's own slim image: no package files, no documentation, and a dpkg that does not wait for the disk. */
function trim(folder: string): void {
  for (const path of ['var/cache/apt', 'var/lib/apt/lists', 'usr/share/doc', 'usr/share/man', 'usr/share/locale']) {
    for (const name of readdirSync(join(folder, path))) rmSync(join(folder, path, name), { recursive: true })
  }
  writeFileSync(join(folder, 'etc/dpkg/dpkg.cfg.d/docker-apt-speedup'), 'force-unsafe-io\n')
  if (!existsSync(authorities)) return
  mkdirSync(join(folder, authorities), { recursive: true })
  cpSync(authorities, join(folder, authorities), { recursive: true, dereference: true })
}

function contentHash(): string {
  const hash = createHash('sha256').update(readFileSync(import.meta.filename))
  for (const name of existsSync(authorities) ? readdirSync(authorities).sort() : [])
    hash.update(readFileSync(join(authorities, name)))
  return hash.digest('hex')
}
