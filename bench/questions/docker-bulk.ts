/** One stream of bytes out of a container, and one into it, beside `docker exec` on the same container. */
import { spawn } from 'node:child_process'
import { performance } from 'node:perf_hooks'
import { type BareEngine, bareEngine, dockerCli, dockerConfig } from '../engine.ts'
import { runLoad, targetFlags } from '../load.ts'
import { startWith } from '../ours.ts'
import { type Answer, type Bench, type Question, rowsOf } from '../question.ts'

const rounds = 5
const directions = ['down', 'up'] as const
type Direction = (typeof directions)[number]

const commandOf = (direction: Direction, bytes: number): string =>
  direction === 'down' ? `head -c ${bytes} /dev/zero` : 'cat >/dev/null'

/** MB/s of a shell pipeline around the engine's client. */
function overCli(direction: Direction, container: string, bytes: number, signal: AbortSignal): Promise<number> {
  const command = commandOf(direction, bytes)
  const line =
    direction === 'down'
      ? `"$1" exec "$2" sh -c '${command}' | cat >/dev/null`
      : `head -c ${bytes} /dev/zero | "$1" exec -i "$2" sh -c '${command}'`
  const start = performance.now()
  const child = spawn('sh', ['-c', line, 'sh', dockerCli ?? 'docker', container], { stdio: 'ignore', signal })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('exit', (code) => {
      if (code === 0) resolve(bytes / 1e6 / ((performance.now() - start) / 1000))
      else reject(new Error(`docker exec ended with ${code}`))
    })
  })
}

async function measure(bench: Bench, bare: BareEngine): Promise<Answer> {
  await using stack = new AsyncDisposableStack()
  const start = startWith({ backend: 'docker', config: dockerConfig(bare) })
  const server = stack.use(await start(bench.credentials, bench.signal))
  const container = await bare.create()
  stack.defer(() => bare.remove(container))
  const bytes = bench.quick ? 2 ** 26 : 2 ** 29
  const sides = new Map([
    ['ours', new Map<string, number[]>()],
    ['docker exec', new Map<string, number[]>()],
  ])
  const note = (side: string, figure: string, value: number): void => {
    const figures = sides.get(side)
    figures?.set(figure, [...(figures.get(figure) ?? []), value])
  }
  for (let round = -1; round < (bench.quick ? 1 : rounds); round++) {
    for (const direction of directions) {
      bench.progress(`${direction} ${round < 0 ? 'warm-up' : `round ${round + 1}`}`)
      const flags = [...targetFlags(server), '-cipher', 'aes128-gcm@openssh.com', '-bytes', `${bytes}`]
      const command = ['-command', commandOf(direction, bytes)]
      const { mbPerSecond } = await runLoad(bench.load, direction, [...flags, ...command], bench.signal)
      const theirs = await overCli(direction, container, bytes, bench.signal)
      if (round < 0) continue
      note('ours', direction, mbPerSecond)
      note('docker exec', direction, theirs)
    }
  }
  const rows = rowsOf(sides, [
    { figure: 'down', label: 'throughput out of a container', unit: 'MB/s', better: 'higher', target: 0.9 },
    { figure: 'up', label: 'throughput into a container', unit: 'MB/s', better: 'higher', target: 0.9 },
  ])
  return { rows, notes: [] }
}

export const dockerBulk: Question = {
  name: 'docker-bulk',
  title: 'Bulk bytes through a container',
  about:
    'One stream of 512 MiB out of a container (`head -c` of /dev/zero) and into it (`cat`), over SSH with aes128-gcm and by ' +
    "`docker exec`. Ours has the engine's side of the way and SSH's encryption besides.",
  async run(bench) {
    if (dockerCli === undefined) return { rows: [], notes: ['Not measured: there is no docker program.'] }
    try {
      return await measure(bench, await bareEngine())
    } catch (error) {
      bench.signal.throwIfAborted()
      const reason = error instanceof Error ? error.message : String(error)
      return { rows: [], notes: [`Not measured: ${reason}`] }
    }
  },
}
