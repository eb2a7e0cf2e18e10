/** The image that the demo user's containers are made of. */
import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { guestImage } from '../../shared/config/docker.ts'
import { hasImage, importImage, pullImage } from './engine.ts'
import { QuickstartError } from './failure.ts'
import type { Setting } from './install.ts'
import { buildRoot } from './root-files.ts'

const local = { name: 'containerssh/quickstart-guest', tag: '1' }
const localImage = `${local.name}:${local.tag}`
/** A machine without a way to the registry should not wait long for it. */
const registrySilenceMs = 15_000

export interface GuestImage {
  readonly image: string
  readonly shell: string
}
const official: GuestImage = { image: guestImage, shell: '/bin/bash' }
const own: GuestImage = { image: localImage, shell: '/bin/sh' }

const pull = async (image: string, setting: Setting): Promise<boolean> => {
  const { say, signal } = setting
  say(`Pulling the image ${image}.`)
  try {
    await pullImage(setting, image, registrySilenceMs, (text) => say(`  ${text}`))
    return true
  } catch (error) {
    signal.throwIfAborted()
    say(`  Not possible: ${error instanceof Error ? error.message : String(error)}`)
    return false
  }
}

const build = async (setting: Setting): Promise<void> => {
  const { say, signal } = setting
  say(`Building the image ${localImage} from programs of this machine.`)
  const scratch = await mkdtemp(join(tmpdir(), 'containerssh-guest-'))
  try {
    const root = join(scratch, 'root')
    await mkdir(root)
    const able = await buildRoot({ root, scratch, signal })
    const tar = spawn('tar', ['-c', '--numeric-owner', '--owner=0', '--group=0', '-C', root, '.'], {
      stdio: ['ignore', 'pipe', 'ignore'],
      signal,
    })
    const failed = new Promise<never>((_, reject) => tar.on('error', reject))
    const path = 'PATH=/usr/local/bin:/usr/bin:/bin'
    const changes = [`ENV ${path}`, 'WORKDIR /root', 'CMD ["/bin/sh"]']
    await Promise.race([importImage(setting, local.name, local.tag, tar.stdout, changes), failed])
    say(`  It has ${['a shell', ...able].join(', ')}${able.includes('sftp') ? '' : '; no sftp server was found'}.`)
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

/** For a first start: what is here already, else the official one, else one of our own. */
export const chooseGuestImage = async (setting: Setting): Promise<GuestImage> => {
  for (const candidate of [official, own]) if (await hasImage(setting, candidate.image)) return candidate
  if (await pull(official.image, setting)) return official
  await build(setting)
  return own
}

/** For a later start: the image that the configuration names. */
export const ensureGuestImage = async (image: string, setting: Setting): Promise<void> => {
  if (await hasImage(setting, image)) return
  if (image === localImage) return build(setting)
  if (!(await pull(image, setting))) throw new QuickstartError(`The image ${image} is neither here nor to be had.`)
}
