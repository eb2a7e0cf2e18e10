/** The images of the tests in the cluster's containerd: those of the Docker engine, and what holds a pod together. */
import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { call, engine, image } from '../docker.ts'

const pauseImage = 'registry.k8s.io/pause:3.6'
const guests = ['containerssh-test/busybox:1', 'containerssh-test/noshell:1', 'containerssh-test/agent:1'] as const

/** `more`: names of images of the engine. */
export async function importImages(folder: string, pause: string, more: readonly string[]): Promise<void> {
  const { host, socketPath } = await engine()
  for (const name of guests) await image(name)
  await importPause(socketPath, pause)
  const archive = join(folder, 'images.tar')
  execFileSync('docker', ['--host', host, 'save', '-o', archive, pauseImage, ...guests, ...more], { stdio: 'pipe' })
  await containerdAnswers(folder)
  ctr(folder, 'images', 'import', archive)
  rmSync(archive)
}

async function importPause(socketPath: string, pause: string): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), 'containerssh-pause-'))
  try {
    copyFileSync(pause, join(root, 'pause'))
    const tar = execFileSync('tar', ['-c', '--owner=0', '--group=0', '-C', root, 'pause'], { maxBuffer: 64 << 20 })
    const [repo = '', tag = ''] = pauseImage.split(':')
    const query = new URLSearchParams({ fromSrc: '-', repo, tag, changes: 'ENTRYPOINT ["/pause"]' })
    const { status, body } = await call(socketPath, 'POST', `/images/create?${query}`, tar)
    if (status !== 200) throw new Error(`the engine did not import ${pauseImage}: ${body}`)
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}

export const ctr = (folder: string, ...args: string[]): string =>
  execFileSync('ctr', ['-a', join(folder, 'containerd.sock'), '-n', 'k8s.io', ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  })

async function containerdAnswers(folder: string): Promise<void> {
  for (let tries = 0; tries < 300; tries++) {
    try {
      ctr(folder, 'version')
      return
    } catch {
      await sleep(100)
    }
  }
  throw new Error(`containerd does not answer; see ${folder}/log/containerd.log`)
}
