import { type Config, schema } from '../../src/shared/config/schema.ts'
import type {
  Channel,
  ChannelId,
  ChannelRequest,
  Exit,
  Member,
  Pty,
  Session,
  Sink,
  Stdio,
  Verdict,
} from '../../src/workers/ports.ts'
import { call, engine, image, type TestEngine, type TestImage } from '../rigs/docker.ts'
import { type Inhabited, inhabit } from './inhabited.ts'

export type Mode = 'connection' | 'session'

export interface RoomOptions {
  readonly mode?: Mode
  readonly image?: TestImage
  /** Where the containers are; default: the Docker engine of the tests. */
  readonly engine?: TestEngine & { image(name: TestImage): Promise<string> }
  /** What the room believes to be its engine: a proxy. */
  readonly host?: string
  /** Of `docker.connection`, besides the host. */
  readonly tls?: Readonly<Record<'cacert' | 'cert' | 'key', string>>
  readonly execution?: Readonly<Record<string, unknown>>
  /** Beside `execution`. */
  readonly docker?: Readonly<Record<string, unknown>>
  readonly timeouts?: Readonly<Record<string, number>>
  readonly owner?: string
  /** The option `instance`. */
  readonly named?: string
  readonly member?: Partial<Member>
}

export interface Rig extends Inhabited {
  readonly config: Config
  containers(): Promise<string[]>
}

export async function room(options: RoomOptions = {}): Promise<Rig> {
  const place = options.engine ?? { ...(await engine()), image }
  const config = schema.parse({
    backend: 'docker',
    workers: 1,
    instance: options.named ?? '',
    docker: {
      connection: { host: options.host ?? place.host, ...options.tls },
      timeouts: options.timeouts ?? {},
      execution: {
        mode: options.mode ?? 'connection',
        container: { Image: await place.image(options.image ?? 'containerssh-test/busybox:1') },
        agentMode: 'shell',
        imagePullPolicy: 'IfNotPresent',
        shellCommand: ['/bin/sh'],
        ...options.execution,
      },
      ...options.docker,
    },
  })
  const inhabited = await inhabit('docker', config, options)
  return {
    ...inhabited,
    config,
    containers: () => containersOf(`containerssh_connection_id=${inhabited.occupant.peer.connectionId}`, place),
  }
}

export async function containersOf(labels: string, place?: TestEngine): Promise<string[]> {
  const { socketPath } = place ?? (await engine())
  const filters = encodeURIComponent(JSON.stringify({ label: [labels] }))
  const { body } = await call(socketPath, 'GET', `/containers/json?all=1&filters=${filters}`)
  return (JSON.parse(body) as { Id: string }[]).map(({ Id }) => Id)
}

/** A sink that keeps what it gets; `closed` makes it say no. */
export interface Bucket extends Sink {
  readonly text: string
  readonly bytes: number
  readonly ended: boolean
  /** Stops, and starts again. */
  hold(): void
  release(): void
}

export function bucket(keep = true): Bucket {
  const chunks: Buffer[] = []
  let bytes = 0
  let ended = false
  let held = false
  let drain = (): void => undefined
  return {
    get text() {
      return Buffer.concat(chunks).toString()
    },
    get bytes() {
      return bytes
    },
    get ended() {
      return ended
    },
    write(data) {
      bytes += data.length
      if (keep) chunks.push(Buffer.from(data))
      return !held
    },
    onDrain(listener) {
      drain = listener
    },
    end() {
      ended = true
    },
    hold() {
      held = true
    },
    release() {
      held = false
      drain()
    },
  }
}

/** Standard input as the channel gives it: what was written before somebody reads, then live, with back-pressure. */
export function input(text: string | Uint8Array = '', end = true) {
  let sink: Sink | undefined
  let taken = 0
  let pending: Buffer[] = text.length === 0 ? [] : [Buffer.from(text)]
  let ending = end
  const scratch = Buffer.alloc(32 * 1024)
  const flow = (): void => {
    for (;;) {
      const next = pending[0]
      if (sink === undefined || next === undefined) break
      const part = next.subarray(0, scratch.length)
      // Lent bytes, like the real ones: whoever keeps them finds them overwritten.
      part.copy(scratch)
      const more = sink.write(scratch.subarray(0, part.length))
      scratch.fill(0x21)
      taken += part.length
      if (part.length === next.length) pending = pending.slice(1)
      else pending[0] = next.subarray(part.length)
      if (!more) return
    }
    if (ending && pending.length === 0) sink?.end()
  }
  return {
    source: {
      into(to: Sink) {
        sink = to
        to.onDrain(flow)
        flow()
      },
    },
    /** Bytes that the sink took. */
    taken: () => taken,
    write(data: string | Uint8Array) {
      pending.push(Buffer.from(data))
      flow()
    },
    end() {
      ending = true
      flow()
    },
  }
}

export interface Talk {
  readonly channel: Channel
  readonly stdin: ReturnType<typeof input>
  readonly stdout: Bucket
  readonly stderr: Bucket
  readonly stdio: Stdio
  ask(request: ChannelRequest): Promise<Verdict>
  /** Must be accepted. */
  start(request: ChannelRequest): Promise<void>
  readonly exit: Promise<Exit>
}

export async function talk(
  session: Session,
  options: { input?: string | Uint8Array; keepOpen?: boolean; keepOutput?: boolean } = {},
): Promise<Talk> {
  const opened = await session.open(1 as ChannelId, () => undefined)
  if (!opened.accepted) throw opened.fault
  const channel = opened.value
  const stdin = input(options.input, options.keepOpen !== true)
  const stdout = bucket(options.keepOutput)
  const stderr = bucket(options.keepOutput)
  const stdio: Stdio = { stdin: stdin.source, stdout, stderr }
  const ask = (request: ChannelRequest): Promise<Verdict> => channel.request(request, stdio)
  return {
    channel,
    stdin,
    stdout,
    stderr,
    stdio,
    ask,
    exit: channel.exit,
    async start(request) {
      const verdict = await ask(request)
      if (!verdict.accepted) throw verdict.fault
    },
  }
}

export const exec = (command: string): ChannelRequest => ({ kind: 'exec', command })
export const pty = (columns: number, rows: number, term = 'xterm'): Extract<ChannelRequest, { kind: 'pty-req' }> => ({
  kind: 'pty-req',
  pty: { term, size: size(columns, rows), modes: new Uint8Array() } satisfies Pty,
})
export const size = (columns: number, rows: number) => ({ columns, rows, widthPixels: 0, heightPixels: 0 })

/** Runs a command to its end. */
export async function run(
  session: Session,
  command: string,
  stdin: string | Uint8Array = '',
): Promise<{ exit: Exit; stdout: string; stderr: string }> {
  const channel = await talk(session, { input: stdin })
  await channel.start(exec(command))
  const exit = await channel.exit
  const result = { exit, stdout: channel.stdout.text, stderr: channel.stderr.text }
  await channel.channel[Symbol.asyncDispose]()
  return result
}
