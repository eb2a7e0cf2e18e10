/** Making a container so that it is removed whatever happens, even when the client leaves while it is being made. */
import { type Fault, fault } from '../../../shared/codes/fault.ts'
import { newId } from '../../../shared/id.ts'
import type { Log } from '../../../shared/log.ts'
import type { Occupant } from '../../ports.ts'
import { memberEnvironment } from '../guest/member-environment.ts'
import { asEngineError, EngineError, persist } from './failure.ts'
import { platformQuery } from './pull.ts'
import { type DockerSettings, label, type Room } from './room.ts'

/** What a mode adds to the configured container. */
export interface ContainerExtras {
  readonly Cmd: readonly string[]
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
): Promise<string> {
  const { execution } = room.settings
  const image = execution.container.Image ?? ''
  const name = extras.name ?? execution.containername
  const query = {
    ...(name === '' ? {} : { name }),
    ...platformQuery(execution.platform),
  }
  const isLeased = (await room.lease?.isHeld()) === true
  const labels = { ...extras.labels, ...(isLeased ? { [label.lease]: room.identity.owner } : {}) }
  const once = async (): Promise<string> => {
    log.emit('DOCKER_CONTAINER_CREATE', { image })
    const creation = newId()
    try {
      const body = containerBody(room, who, { ...extras, labels }, creation)
      return await room.engine.createContainer(body, query, deadline)
    } catch (error) {
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

function containerBody(room: Room, who: Occupant | undefined, extras: ContainerExtras, creation: string): object {
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
    },
    ...extras.config,
    // Nobody reads a log of the output, and writing it to disk would cost more than the session.
    HostConfig: { LogConfig: { Type: 'none' }, ...extras.host, ...execution.host, ...mountsOf(execution.host, extras) },
    NetworkingConfig: execution.network,
  }
}

const mountsOf = (host: DockerSettings['execution']['host'], { mounts = [] }: ContainerExtras): object =>
  mounts.length === 0 ? {} : { Mounts: [...(host?.Mounts ?? []), ...mounts] }

const occupantMarks = ({ peer, member }: Occupant): Record<string, string> => ({
  [label.connectionId]: peer.connectionId,
  [label.ip]: peer.remoteAddress,
  [label.username]: member.username,
})
