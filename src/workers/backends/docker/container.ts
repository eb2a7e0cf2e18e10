/** Making a container so that it is removed whatever happens, even when the client leaves while it is being made. */
import { type Fault, fault } from '../../../shared/codes/fault.ts'
import { newId } from '../../../shared/id.ts'
import type { Log } from '../../../shared/log.ts'
import type { Occupant } from '../../ports.ts'
import { memberEnvironment } from '../guest/member-environment.ts'
import { directMount } from './direct/direct.ts'
import { asEngineError, EngineError, persist } from './failure.ts'
import { platformQuery } from './pull.ts'
import { type DockerSettings, label, type Room } from './room.ts'

/** What a mode adds to the configured container. */
export interface ContainerExtras {
  readonly Cmd: readonly string[]
  /** Its programs' streams may go past the engine. */
  readonly isDirect?: boolean
  /** Besides those of every container of ours. */
  readonly labels?: Readonly<Record<string, string>>
  /** In place of the configured name. */
  readonly name?: string
  readonly env?: readonly string[]
  readonly config?: Readonly<Record<string, unknown>>
  readonly host?: Readonly<Record<string, unknown>>
  /** Of the Engine API; besides those of the configuration. */
  readonly mounts?: readonly object[]
}

export interface Created {
  readonly containerId: string
  /** Folder for its programs' streams; undefined: the engine has them. */
  readonly streams: string | undefined
}

export const shuttingDown = (containerId?: string): Fault => fault('DOCKER_CONTAINER_SHUTTING_DOWN', { containerId })

/**
 * Creates a container, without an occupant one for whoever comes. It is not interrupted by `signal`: the engine would go on alone; whoever gives up has it removed.
 * @throws Fault
 */
export async function createContainer(
  room: Room,
  who: Occupant | undefined,
  extras: ContainerExtras,
  log: Log,
  signal: AbortSignal,
  deadline: AbortSignal,
): Promise<Created> {
  const { execution } = room.settings
  const image = execution.container.Image ?? ''
  const name = extras.name ?? execution.containername
  const query = {
    ...(name === '' ? {} : { name }),
    ...platformQuery(execution.platform),
  }
  const isLeased = (await room.lease?.isHeld()) === true
  const labels = { ...extras.labels, ...(isLeased ? { [label.lease]: room.identity.owner } : {}) }
  const once = async (): Promise<Created> => {
    log.emit('DOCKER_CONTAINER_CREATE', { image })
    const creation = newId()
    const streams = extras.isDirect ? await room.direct.prepare(execution, creation, log, deadline) : undefined
    try {
      const body = containerBody(room, who, { ...extras, labels }, creation, streams)
      const containerId = await room.engine.createContainer(body, query, deadline)
      if (streams !== undefined) room.direct.settle(containerId, streams)
      return { containerId, streams }
    } catch (error) {
      if (streams !== undefined) {
        room.direct.discard(streams)
        if (room.direct.refuses(error, log)) return once()
      }
      // There may be a container all the same.
      const { statusCode } = asEngineError(error)
      if (statusCode === 0 || statusCode >= 500) room.cleanup.sweep(creation, log).catch(() => undefined)
      throw error
    }
  }
  try {
    return await persist(once, {
      signal: AbortSignal.any([signal, deadline]),
      retrying: (labels) => log.emit('DOCKER_CONTAINER_CREATE_FAILED', { image, ...labels }),
      failed: (labels, cause) =>
        fault('DOCKER_CONTAINER_CREATE_FAILED', { image, ...labels }, { cause, level: 'error' }),
    })
  } catch (error) {
    room.images.forget()
    throw error
  }
}

/** `ahead`: nobody waits for it. @throws Fault; the container is still there then. */
export function startContainer(
  room: Room,
  containerId: string,
  log: Log,
  signal: AbortSignal,
  deadline: AbortSignal,
  ahead = false,
): Promise<void> {
  const either = AbortSignal.any([signal, deadline])
  const once = async (): Promise<void> => {
    if (!(await room.starts.enter(either, ahead))) throw new EngineError(0, BUSY)
    try {
      log.emit('DOCKER_CONTAINER_START', { containerId })
      await room.engine.startContainer(containerId, deadline)
    } finally {
      room.starts.leave()
    }
  }
  return persist(once, {
    signal: either,
    retrying: (labels) => log.emit('DOCKER_CONTAINER_START_FAILED', { containerId, ...labels }),
    failed: (labels, cause) =>
      fault('DOCKER_CONTAINER_START_FAILED', { containerId, ...labels }, { cause, level: 'error' }),
  })
}

const BUSY = 'too many containers are being started'

function containerBody(
  room: Room,
  who: Occupant | undefined,
  extras: ContainerExtras,
  creation: string,
  streams: string | undefined,
): object {
  const { execution } = room.settings
  const { container } = execution
  const own = who === undefined ? [] : memberEnvironment(execution, who.member)
  return {
    ...container,
    // A shell in session mode without `shellCommand`: the container's own command, or the image's.
    Cmd: extras.Cmd.length > 0 ? extras.Cmd : container.Cmd,
    Env: [...(container.Env ?? []), ...own, ...(extras.env ?? [])],
    Labels: {
      ...container.Labels,
      ...(who === undefined ? {} : occupantMarks(who)),
      ...extras.labels,
      [label.instance]: room.identity.instance,
      [label.owner]: room.identity.owner,
      [label.creation]: creation,
      ...(streams === undefined ? {} : { [label.streams]: streams }),
    },
    ...extras.config,
    // Nobody reads a log of the output, and writing it to disk would cost more than the session.
    HostConfig: {
      LogConfig: { Type: 'none' },
      ...extras.host,
      ...execution.host,
      ...mountsOf(execution.host, extras, streams),
    },
    NetworkingConfig: execution.network,
  }
}

function mountsOf(
  host: DockerSettings['execution']['host'],
  { mounts = [] }: ContainerExtras,
  streams: string | undefined,
): object {
  const ours = streams === undefined ? mounts : [...mounts, directMount(streams)]
  return ours.length === 0 ? {} : { Mounts: [...(host?.Mounts ?? []), ...ours] }
}

const occupantMarks = ({ peer, member }: Occupant): Record<string, string> => ({
  [label.connectionId]: peer.connectionId,
  [label.ip]: peer.remoteAddress,
  [label.username]: member.username,
})
