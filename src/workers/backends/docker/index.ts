/** The Docker room: see spec of `docker` in the configuration reference. One per worker; no state but the engine's. */
import { fault } from '../../../shared/codes/fault.ts'
import type { Config } from '../../../shared/config/schema.ts'
import type { Identity } from '../../../shared/identity.ts'
import type { Log } from '../../../shared/log.ts'
import type { Backend, RoomFaults } from '../../ports.ts'
import { createCleanup } from './cleanup.ts'
import { connect } from './client.ts'
import { createEnds } from './ends.ts'
import { createEngine } from './engine.ts'
import { createImages } from './image.ts'
import { reap } from './reap.ts'
import { occupantLabels, type Room } from './room.ts'
import { openSandbox } from './sandbox.ts'
import { openSessionSandbox } from './session-sandbox.ts'

/** A backend that also removes what dead processes left behind. */
export interface ReapingBackend extends Backend {
  /** Gives the number of containers removed. Never rejects for the engine's sake. */
  reap(signal: AbortSignal): Promise<number>
}

const faults: RoomFaults = {
  alreadyRunning: () => fault('DOCKER_PROGRAM_ALREADY_RUNNING', {}),
  notRunning: () => fault('DOCKER_PROGRAM_NOT_RUNNING', {}),
  notSupported: (request) => fault('DOCKER_REQUEST_NOT_SUPPORTED', { request }),
}

/** @throws Fault DOCKER_CONFIG_ERROR when no client can be made of the configuration. */
export async function docker(config: Config, identity: Identity, workerLog: Log): Promise<ReapingBackend> {
  const log = workerLog.with({ module: 'backend', backend: 'docker' })
  const room = createRoom(config, identity, log)
  const open = config.docker.execution.mode === 'session' ? openSessionSandbox : openSandbox
  return {
    name: 'docker',
    faults,
    open(who, signal) {
      const own = who.peer.log.with(occupantLabels(who))
      tellAgent(config.docker.execution, own)
      return open(room, who, own, signal)
    },
    reap: (signal) => reap(room, log, signal),
    async [Symbol.asyncDispose]() {
      await room.cleanup[Symbol.asyncDispose]()
      await room.ends[Symbol.asyncDispose]()
      room.engine.close()
    },
  }
}

function createRoom(config: Config, identity: Identity, log: Log): Room {
  const settings = config.docker
  if ((settings.execution.container.Image ?? '') === '') {
    throw fault('DOCKER_CONFIG_ERROR', { reason: 'docker.execution.container.image is empty' })
  }
  try {
    const engine = createEngine(connect(settings.connection, settings.timeouts.http))
    return {
      engine,
      settings,
      identity,
      images: createImages(engine, settings),
      ends: createEnds(engine, identity.owner, log),
      cleanup: createCleanup(engine, settings.timeouts.containerStop),
    }
  } catch (cause) {
    throw fault('DOCKER_CONFIG_ERROR', { reason: cause instanceof Error ? cause.message : String(cause) }, { cause })
  }
}

/** Per connection, because a connection may bring its own configuration. */
function tellAgent(execution: Config['docker']['execution'], log: Log): void {
  if (!execution.disableAgent) return
  log.emit('DOCKER_GUEST_AGENT_DISABLED', { reason: 'signals are sent through the shell of the image' })
  if (execution.mode === 'connection' && execution.idleCommand[0] === execution.agentPath) {
    log.emit('DOCKER_GUEST_AGENT_DISABLED', { reason: 'idleCommand is the guest agent; a shell idles in its place' })
  }
}
