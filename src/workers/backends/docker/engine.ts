/** The calls of the Docker Engine API that we make, typed. Every one throws `EngineError` only. */
import type { Readable } from 'node:stream'
import type { RawStream } from '../guest/raw-stream.ts'
import type { Call, Client } from './client.ts'
import { EngineError } from './failure.ts'

export interface Image {
  readonly id: string
  /** As Go names it: `amd64`, `arm64`, … */
  readonly architecture: string
}
export interface ExecState {
  readonly Running: boolean
  readonly ExitCode: number | null
}
export interface ContainerState {
  readonly Running: boolean
  readonly Paused: boolean
  readonly Restarting: boolean
  readonly OOMKilled: boolean
  readonly ExitCode: number
}
export interface FoundContainer {
  readonly id: string
  /** `created`, `running`, `exited`, … */
  readonly status: string
  readonly labels: Readonly<Record<string, string>>
}
interface Inspected {
  readonly Id: string
  readonly State: { readonly Status: string }
  readonly Config?: { readonly Labels?: Readonly<Record<string, string>> }
}
export interface ListedContainer {
  readonly Id: string
  readonly Labels: Readonly<Record<string, string>>
}
export interface Volume {
  readonly Name: string
  readonly Labels: Readonly<Record<string, string>>
}
export interface ExecSpec {
  readonly Cmd: readonly string[]
  readonly Env: readonly string[]
  readonly Tty: boolean
  readonly stdin: boolean
  readonly size: Size | undefined
}
export interface Size {
  readonly columns: number
  readonly rows: number
}

/** Of `GET /info`, what is asked for. */
export interface EngineInfo {
  readonly KernelVersion?: string
  /** Host name of the engine. */
  readonly Name?: string
  readonly DefaultRuntime?: string
  /** Podman's alone. */
  readonly BuildahVersion?: string
}

export interface Engine {
  readonly host: string
  info(signal: AbortSignal): Promise<EngineInfo>
  /** Undefined when the engine does not have the image. */
  image(name: string, signal: AbortSignal): Promise<Image | undefined>
  /** The progress of a pull: JSON lines. */
  pull(query: Readonly<Record<string, string>>, auth: object | undefined, signal: AbortSignal): Promise<Readable>
  createContainer(body: object, query: Readonly<Record<string, string>>, signal: AbortSignal): Promise<string>
  startContainer(id: string, signal: AbortSignal): Promise<void>
  renameContainer(id: string, name: string, signal: AbortSignal): Promise<void>
  stopContainer(id: string, graceSeconds: number, signal: AbortSignal): Promise<void>
  killContainer(id: string, signalName: string, signal: AbortSignal): Promise<void>
  containerState(id: string, signal: AbortSignal): Promise<ContainerState>
  /** With its anonymous volumes, running or not. */
  /** By its name; undefined: there is none. */
  findContainer(name: string, signal: AbortSignal): Promise<FoundContainer | undefined>
  removeContainer(id: string, signal: AbortSignal): Promise<void>
  /** Running or not. A label is `name` or `name=value`. */
  listContainers(label: string, signal: AbortSignal): Promise<readonly ListedContainer[]>
  /** An empty one; there is no harm in one that exists. */
  createVolume(name: string, labels: Readonly<Record<string, string>>, signal: AbortSignal): Promise<void>
  /** There is no harm in one that is gone. */
  removeVolume(name: string, signal: AbortSignal): Promise<void>
  /** A label is `name` or `name=value`. */
  listVolumes(label: string, signal: AbortSignal): Promise<readonly Volume[]>
  attachContainer(id: string, signal: AbortSignal): Promise<RawStream>
  /** Resolves when the engine is waiting; the body, one JSON value, arrives when the container has ended. */
  waitContainer(id: string, signal: AbortSignal): Promise<Readable>
  resizeContainer(id: string, size: Size, signal: AbortSignal): Promise<void>
  /** Whether a path exists in a container, running or not. */
  hasPath(id: string, path: string, signal: AbortSignal): Promise<boolean>
  /** The user that the container was made with, or the image's: `user`, `user:group` or empty. */
  containerUser(id: string, signal: AbortSignal): Promise<string>
  /** A file of a container, running or not, as a tar archive; undefined when there is none. */
  archive(id: string, path: string, mostBytes: number, signal: AbortSignal): Promise<Buffer | undefined>
  /** Unpacks a tar archive in a folder of a container, running or not. */
  putArchive(id: string, folder: string, archive: Buffer, signal: AbortSignal): Promise<void>
  createExec(containerId: string, spec: ExecSpec, signal: AbortSignal): Promise<string>
  startExec(id: string, tty: boolean, signal: AbortSignal): Promise<RawStream>
  startExecDetached(id: string, signal: AbortSignal): Promise<void>
  execState(id: string, signal: AbortSignal): Promise<ExecState>
  resizeExec(id: string, size: Size, signal: AbortSignal): Promise<void>
  /** JSON lines, without end. */
  events(filters: Readonly<Record<string, readonly string[]>>, signal: AbortSignal): Promise<Readable>
  close(): void
}

export function createEngine(client: Client): Engine {
  const act = async (call: Call, signal: AbortSignal): Promise<void> => {
    await client.request(call, signal)
  }
  const ask = async <T>(call: Call, signal: AbortSignal): Promise<T> => (await client.request(call, signal)) as T
  const post = (path: string, query: Call['query'] = {}, body: object = {}): Call => ({
    method: 'POST',
    path,
    query,
    body,
  })
  const get = (path: string, query: Call['query'] = {}): Call => ({ method: 'GET', path, query })
  return {
    host: client.host,
    info: (signal) => ask(get('/info'), signal),
    async image(name, signal) {
      const call = get(`/images/${name}/json`)
      const found = await orUndefined(() => ask<{ Id: string; Architecture?: string }>(call, signal))
      return found === undefined ? undefined : { id: found.Id, architecture: found.Architecture ?? '' }
    },
    pull: (query, registryAuth, signal) =>
      client.stream({ ...post('/images/create', query), registryAuth, isPatient: true }, signal),
    async createContainer(body, query, signal) {
      return (await ask<{ Id: string }>(post('/containers/create', query, body), signal)).Id
    },
    renameContainer: (id, name, signal) => act(post(`/containers/${id}/rename`, { name }), signal),
    startContainer: (id, signal) => act(post(`/containers/${id}/start`), signal),
    stopContainer: (id, t, signal) => act(post(`/containers/${id}/stop`, { t }), signal),
    killContainer: (id, name, signal) => act(post(`/containers/${id}/kill`, { signal: name }), signal),
    containerState: async (id, signal) =>
      (await ask<{ State: ContainerState }>(get(`/containers/${id}/json`), signal)).State,
    async findContainer(name, signal) {
      const found = await orUndefined(() => ask<Inspected>(get(`/containers/${name}/json`), signal))
      return found === undefined
        ? undefined
        : { id: found.Id, status: found.State.Status, labels: found.Config?.Labels ?? {} }
    },
    removeContainer: (id, signal) =>
      act({ method: 'DELETE', path: `/containers/${id}`, query: { force: 1, v: 1 } }, signal),
    listContainers: (label, signal) => ask(get('/containers/json', { all: 1, filters: { label: [label] } }), signal),
    createVolume: (Name, Labels, signal) => act(post('/volumes/create', {}, { Name, Labels }), signal),
    async removeVolume(name, signal) {
      await orUndefined(() => act({ method: 'DELETE', path: `/volumes/${name}` }, signal))
    },
    async listVolumes(label, signal) {
      const call = get('/volumes', { filters: { label: [label] } })
      return (await ask<{ Volumes: Volume[] | null }>(call, signal)).Volumes ?? []
    },
    attachContainer: (id, signal) =>
      client.hijack(`/containers/${id}/attach?stream=1&stdin=1&stdout=1&stderr=1`, undefined, signal),
    waitContainer: (id, signal) => client.stream(post(`/containers/${id}/wait`, { condition: 'next-exit' }), signal),
    resizeContainer: (id, size, signal) =>
      act(post(`/containers/${id}/resize`, { h: size.rows, w: size.columns }), signal),
    async hasPath(id, path, signal) {
      const call: Call = { method: 'HEAD', path: `/containers/${id}/archive`, query: { path } }
      return (await orUndefined(() => client.request(call, signal).then(() => true))) === true
    },
    containerUser: async (id, signal) =>
      (await ask<{ Config?: { User?: string } }>(get(`/containers/${id}/json`), signal)).Config?.User ?? '',
    async archive(id, path, mostBytes, signal) {
      const found = await orUndefined(() => client.stream(get(`/containers/${id}/archive`, { path }), signal))
      return found === undefined ? undefined : collect(found, mostBytes)
    },
    // A folder is not replaced by a file of its name.
    putArchive: (id, path, archive, signal) =>
      act(
        { method: 'PUT', path: `/containers/${id}/archive`, query: { path, noOverwriteDirNonDir: 1 }, archive },
        signal,
      ),
    async createExec(containerId, spec, signal) {
      const { stdin, size, ...rest } = spec
      const ConsoleSize = size === undefined ? undefined : [size.rows, size.columns] // since API 1.42
      const body = { ...rest, ConsoleSize, AttachStdin: stdin, AttachStdout: true, AttachStderr: true }
      return (await ask<{ Id: string }>(post(`/containers/${containerId}/exec`, {}, body), signal)).Id
    },
    startExec: (id, Tty, signal) => client.hijack(`/exec/${id}/start`, { Detach: false, Tty }, signal),
    startExecDetached: (id, signal) => act(post(`/exec/${id}/start`, {}, { Detach: true }), signal),
    execState: (id, signal) => ask(get(`/exec/${id}/json`), signal),
    resizeExec: (id, size, signal) => act(post(`/exec/${id}/resize`, { h: size.rows, w: size.columns }), signal),
    events: (filters, signal) => client.stream(get('/events', { filters }), signal),
    close: client.close,
  }
}

async function collect(stream: Readable, mostBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of stream) {
    const bytes = chunk as Buffer // the stream has no encoding
    chunks.push(bytes)
    size += bytes.length
    if (size > mostBytes) throw new EngineError(200, `the answer is larger than ${mostBytes} bytes`)
  }
  return Buffer.concat(chunks)
}

async function orUndefined<T>(task: () => Promise<T>): Promise<T | undefined> {
  try {
    return await task()
  } catch (error) {
    if (error instanceof EngineError && error.statusCode === 404) return undefined
    throw error
  }
}
