/** One stream of bytes out of a container, and one into it, beside `docker exec` on the same container. */
import { type BulkPeer, bulkBeside } from '../bulk-beside.ts'
import { type BareEngine, bareEngine, dockerCli, dockerConfig } from '../engine.ts'
import { startWith } from '../ours.ts'
import { type Answer, type Bench, orNote, type Question } from '../question.ts'

interface Found {
  readonly bare: BareEngine
  readonly docker: string
}

async function measure(bench: Bench, { bare, docker }: Found): Promise<Answer> {
  await using stack = new AsyncDisposableStack()
  const start = startWith({ backend: 'docker', config: dockerConfig(bare) })
  const server = stack.use(await start(bench.credentials, bench.signal))
  const container = await bare.create()
  stack.defer(() => bare.remove(container))
  const peer: BulkPeer = {
    name: 'docker exec',
    words: (command, withInput) => [docker, 'exec', ...(withInput ? ['-i'] : []), container, 'sh', '-c', command],
  }
  return { rows: await bulkBeside(bench, server, peer, 'a container', 2 ** 29), notes: [] }
}

export const dockerBulk: Question = {
  name: 'docker-bulk',
  title: 'Bulk bytes through a container',
  about:
    'One stream of 512 MiB out of a container (`head -c` of /dev/zero) and into it (`cat`), over SSH with aes128-gcm and by ' +
    "`docker exec`. Ours has the engine's side of the way and SSH's encryption besides; the CPU time is that of our daemon, and of the client program.",
  run: (bench) => orNote(bench, find, measure),
}

async function find(): Promise<Found> {
  if (dockerCli === undefined) throw new Error('there is no docker program')
  return { bare: await bareEngine(), docker: dockerCli }
}
