/** One stream of bytes out of a container, and one into it, beside `docker exec` on the same container. */
import { type BulkPeer, bulkBeside } from '../bulk-beside.ts'
import { type BareEngine, bareEngine, dockerCli, dockerConfig, dockerPeer } from '../engine.ts'
import { startWith } from '../ours.ts'
import { type Answer, type Bench, orNote, ours, type Question } from '../question.ts'

interface Found {
  readonly bare: BareEngine
  readonly docker: string
}

/** Programs are children of the shims. */
const engine = new Set(['dockerd', 'containerd', 'containerd-shim'])

const floor = 'no container'

async function measure(bench: Bench, { bare, docker }: Found): Promise<Answer> {
  await using stack = new AsyncDisposableStack()
  stack.defer(() => bare.sweep())
  const { credentials, signal } = bench
  // One container for all rounds: to make one is no part of this question.
  const config = dockerConfig(bare, { share: { by: 'user', linger: '30s' } })
  const server = stack.use(await startWith({ backend: 'docker', config })(credentials, signal))
  const empty = await bench.shared.one(ours)
  const container = await bare.create()
  const peer: BulkPeer = {
    name: 'docker exec',
    words: (command, withInput) => [docker, 'exec', ...(withInput ? ['-i'] : []), container, 'sh', '-c', command],
  }
  const sshd = await dockerPeer(bench, bare, `exec -i ${container} /bin/sh -c "$SSH_ORIGINAL_COMMAND"`)
  if (sshd !== undefined) stack.use(sshd)
  const commandOf = (direction: string, bytes: number): string => (direction === 'down' ? `source ${bytes}` : 'sink')
  const others = [
    ...(sshd === undefined ? [] : [{ name: 'sshd + docker exec', server: sshd }]),
    ...(empty === undefined ? [] : [{ name: floor, server: empty, commandOf }]),
  ]
  return await bulkBeside(bench, { server, peer, room: 'a container', bytes: 2 ** 28, engine, others, floor })
}

export const dockerBulk: Question = {
  name: 'docker-bulk',
  title: 'Bulk bytes through a container',
  seconds: 25,
  needs: 'a Docker engine and its client program; root for the row of sshd',
  prepare: find,
  about:
    'One stream of 256 MiB out of a container (`dd` of /dev/zero) and into it (`cat`), over SSH with aes128-gcm and by ' +
    "`docker exec`. Ours has the engine's side of the way, and SSH's encryption and network besides. Also over sshd with " +
    '`docker exec` as its forced command, and to and from our daemon itself without a container, which is the floor. All ' +
    'processes, the client too, share the cores of the machine.',
  run: (bench) => orNote(bench, find, measure),
}

async function find(): Promise<Found> {
  if (dockerCli === undefined) throw new Error('there is no docker program')
  return { bare: await bareEngine(), docker: dockerCli }
}
