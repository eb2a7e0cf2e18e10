/** Making a container so that it is removed whatever happens, even when the client leaves while it is being made. */
import { type Fault, fault } from '../../../shared/codes/fault.ts'
import { newId } from '../../../shared/id.ts'
import type { Log } from '../../../shared/log.ts'
import type { Occupant } from '../../ports.ts'
import { memberEnvironment } from './environment.ts'
import { asEngineError, persist } from './failure.ts'
import { platformQuery } from './pull.ts'
import { label, type Room } from './room.ts'

/** What a mode adds to the configured container. */
export interface ContainerExtras {
  readonly Cmd: readonly string[]
  readonly env?: readonly string[]
  readonly config?: Readonly<Record<string, unknown>>
  readonly host?: Readonly<Record<string, unknown>>
}

export const shuttingDown = (containerId?: string): Fault => fault('DOCKER_CONTAINER_SHUTTING_DOWN', { containerId })

/**
 * Creates a container. It is not interrupted by `signal`: the engine would go on alone; whoever gives up has it removed.
 * @throws Fault
 */
export async function createContainer(
  room: Room,
  who: Occupant,
  extras: ContainerExtras,
  log: Log,
  signal: AbortSignal,
  deadline: AbortSignal,
): Promise<string> {
  const { execution } = room.settings
  const image = execution.container.Image ?? ''
  const query = {
    ...(execution.containername === '' ? {} : { name: execution.containername }),
    ...platformQuery(execution.platform),
  }
  const once = async (): Promise<string> => {
    log.emit('DOCKER_CONTAINER_CREATE', { image })
    const creation = newId()
    try {
      return await room.engine.createContainer(containerBody(room, who, extras, creation), query, deadline)
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

/** @throws Fault; the container is still there then. */
export function startContainer(
  room: Room,
  containerId: string,
  log: Log,
  signal: AbortSignal,
  deadline: AbortSignal,
): Promise<void> {
  const once = (): Promise<void> => {
    log.emit('DOCKER_CONTAINER_START', { containerId })
    return room.engine.startContainer(containerId, deadline)
  }
  return persist(once, {
    signal: AbortSignal.any([signal, deadline]),
    retrying: (labels) => log.emit('DOCKER_CONTAINER_START_FAILED', { containerId, ...labels }),
    failed: (labels, cause) =>
      fault('DOCKER_CONTAINER_START_FAILED', { containerId, ...labels }, { cause, level: 'error' }),
  })
}

/**
 * Waits for something that makes containers, but not longer than its client: when the signal is aborted first, what
 * comes out later is handed to `undo`.
 */
export function orUndo<T>(
  room: Room,
  making: Promise<T>,
  signal: AbortSignal,
  undo: (made: T) => Promise<void>,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const left = (): void => {
      reject(shuttingDown())
      room.cleanup.track(making.then(undo))
    }
    if (signal.aborted) return left()
    signal.addEventListener('abort', left, { once: true })
    making.then(resolve, reject).finally(() => signal.removeEventListener('abort', left))
  })
}

function containerBody(room: Room, who: Occupant, extras: ContainerExtras, creation: string): object {
  const { execution } = room.settings
  const { container } = execution
  return {
    ...container,
    // A shell in session mode without `shellCommand`: the container's own command, or the image's.
    Cmd: extras.Cmd.length > 0 ? extras.Cmd : container.Cmd,
    Env: [...(container.Env ?? []), ...memberEnvironment(room.settings.execution, who.member), ...(extras.env ?? [])],
    Labels: {
      ...container.Labels,
      [label.connectionId]: who.peer.connectionId,
      [label.ip]: who.peer.remoteAddress,
      [label.username]: who.member.username,
      [label.instance]: room.identity.instance,
      [label.owner]: room.identity.owner,
      [label.creation]: creation,
    },
    ...extras.config,
    // Nobody reads a log of the output, and writing it to disk would cost more than the session.
    HostConfig: { LogConfig: { Type: 'none' }, ...extras.host, ...execution.host },
    NetworkingConfig: execution.network,
  }
}
