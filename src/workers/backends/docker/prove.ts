/**
 * Whether what is at the path of the guest agent in an image is one. A look cannot tell; the first container of the image
 * that runs can. With `agentMode: auto` a wrong one is left alone from then on, and the next step serves.
 */
import { Fault } from '../../../shared/codes/fault.ts'
import { aborted } from '../../../shared/deadline.ts'
import type { Log } from '../../../shared/log.ts'
import { withAgent } from '../guest/command.ts'
import type { Plan } from '../guest/plan.ts'
import { startContainer } from './container.ts'
import type { Image } from './engine.ts'
import { openExecStream } from './forward.ts'
import type { Room } from './room.ts'

/** Starts a container. False: its agent is none, so that another plan and another container are needed. @throws Fault */
export async function startProven(
  room: Room,
  { containerId, plan }: { readonly containerId: string; readonly plan: Plan },
  image: Image | undefined,
  log: Log,
  signal: AbortSignal,
  deadline: AbortSignal,
  ahead = false,
): Promise<boolean> {
  try {
    await startContainer(room, containerId, log, signal, deadline, ahead)
  } catch (error) {
    // The engine's answer when the main process cannot be executed.
    const isRefused = error instanceof Fault && error.labels['statusCode'] === 400
    if (!isRefused || !isDoubtful(room, plan, image) || !keepsAlive(plan)) throw error
    return distrust(room, image, String(error.labels['reason']), log)
  }
  return isProven(room, containerId, plan, image, log, AbortSignal.any([signal, deadline]))
}

/** In a container that runs. What the engine does not tell is left for the next container to show. Never rejects. */
export async function isProven(
  room: Room,
  containerId: string,
  plan: Plan,
  image: Image | undefined,
  log: Log,
  signal: AbortSignal,
): Promise<boolean> {
  if (!isDoubtful(room, plan, image)) return true
  const reason =
    (await complaint(room, containerId, plan, log, signal)) ?? (await ended(room, containerId, plan, signal))
  if (reason === undefined) return true
  if (reason !== '') return distrust(room, image, reason, log)
  room.insides.prove(image?.id ?? '', room.settings.execution, true)
  return true
}

/** The container of one who found out without asking. */
export function distrust(room: Room, image: Image | undefined, reason: string, log: Log): false {
  const { agentPath: path, container } = room.settings.execution
  room.insides.prove(image?.id ?? '', room.settings.execution, false)
  log.emit('DOCKER_GUEST_AGENT_INVALID', { image: container.Image ?? '', path, reason: reason.slice(0, MOST_CHARS) })
  return false
}
const MOST_CHARS = 500

/** Nobody has insisted on it, and nobody has seen it work. Of an image without an id nothing can be remembered. */
export const isDoubtful = ({ settings: { execution }, insides }: Room, { mode }: Plan, image: Image | undefined) =>
  mode === 'image' && execution.agentMode === 'auto' && image !== undefined && !insides.isProven(image.id, execution)

/** It only has to write four bytes. */
const ANSWER_MS = 10_000
const keepsAlive = ({ agent, idle }: Plan): boolean => agent !== undefined && idle?.[0] === agent[0]

/** What is wrong with the agent; empty: nothing; undefined: nobody knows. */
async function complaint(
  room: Room,
  containerId: string,
  plan: Plan,
  log: Log,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { agent = [] } = plan
  const patience = AbortSignal.timeout(ANSWER_MS)
  const words = withAgent(agent, [...agent, '--help'])
  try {
    const helping = { what: `${agent[0]} --help`, words, announcement: 'agent', said: () => undefined } as const
    const exec = await openExecStream(room, containerId, helping, log, signal)
    try {
      const header = await Promise.race([exec.header, aborted(AbortSignal.any([signal, patience]))])
      if (header === undefined) return signal.aborted ? undefined : `it says nothing for ${ANSWER_MS / 1000} s`
      if (header.kind === 'pid') return ''
      if (header.kind === 'text') return `it says ${JSON.stringify(Buffer.from(header.text).toString('utf8'))}`
      const exitCode = await exec.exitCode
      return exitCode === undefined ? undefined : `it says nothing and ends with ${exitCode}`
    } finally {
      exec.stream.destroy()
    }
  } catch (error) {
    const isOver = error instanceof Fault && error.labels['statusCode'] === 409
    return isOver && keepsAlive(plan) ? HAS_ENDED : undefined
  }
}
const HAS_ENDED = 'the container that it was to keep alive has ended'

/** The engine says in many ways that a container ended under an exec. */
async function ended(room: Room, containerId: string, plan: Plan, signal: AbortSignal): Promise<string | undefined> {
  if (!keepsAlive(plan)) return undefined
  const state = await room.engine.containerState(containerId, signal).catch(() => undefined) // the login will tell
  return state?.Running === false ? HAS_ENDED : undefined
}
