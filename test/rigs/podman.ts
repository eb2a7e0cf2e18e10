/**
 * A real Podman, serving the Engine API on a socket of its own, with storage of its own: it knows nothing of other
 * tests, and nothing of it is left. Its images come from the Docker engine of the tests.
 */
import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { until } from './daemon.ts'
import { call, engine, image, type TestEngine, type TestImage } from './docker.ts'

export interface Podman extends TestEngine, AsyncDisposable {
  /** Takes the image over from the Docker engine. Gives its name. */
  image(name: TestImage): Promise<string>
}

/**
 * crun refuses hybrid cgroups; the API swaps soft and hard of a limit, so both are the same; without networks there is
 * nothing to set up or to leave behind.
 */
const settings = `[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
init_path = "/usr/bin/catatonit"
netns = "none"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
`

export async function podman(): Promise<Podman> {
  const folder = mkdtempSync(join(tmpdir(), 'containerssh-podman-'))
  const socketPath = join(folder, 'podman.sock')
  const storage = ['--root', join(folder, 'root'), '--runroot', join(folder, 'run')]
  writeFileSync(join(folder, 'containers.conf'), settings)
  const env = { ...process.env, CONTAINERS_CONF: join(folder, 'containers.conf') }
  const service = spawn('podman', [...storage, 'system', 'service', '--time=0', `unix://${socketPath}`], {
    stdio: 'ignore',
    env,
  })
  const ended = new Promise((resolve) => service.once('exit', resolve))
  const up = async (): Promise<boolean> =>
    (await call(socketPath, 'GET', '/_ping').catch(() => undefined))?.status === 200
  await until('podman', up)
  const taken = new Map<TestImage, Promise<string>>()
  return {
    socketPath,
    host: `unix://${socketPath}`,
    image(name) {
      const known = taken.get(name) ?? takeOver(name, socketPath)
      taken.set(name, known)
      return known
    },
    async [Symbol.asyncDispose]() {
      execFileSync('podman', [...storage, 'rm', '--all', '--force', '--time', '0'], { env, stdio: 'ignore' })
      service.kill('SIGTERM')
      await ended
      // The folder of the images is a mount of its own.
      execFileSync('sh', ['-c', 'umount "$1/root/overlay" 2>/dev/null || true', 'sh', folder])
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** Through a pipe: an image may be large. */
async function takeOver(name: TestImage, socketPath: string): Promise<string> {
  await image(name)
  const from = (await engine()).socketPath
  await new Promise<void>((resolve, reject) => {
    const load = request({ socketPath, method: 'POST', path: '/v1.41/images/load' }, (answer) => {
      answer.resume().on('end', resolve)
      if (answer.statusCode !== 200) reject(new Error(`podman did not take ${name}: ${answer.statusCode}`))
    })
    load.on('error', reject).setHeader('Content-Type', 'application/x-tar')
    request({ socketPath: from, path: `/images/${name}/get` }, (saved) => saved.pipe(load))
      .on('error', reject)
      .end()
  })
  return name
}
