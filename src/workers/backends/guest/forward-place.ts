/** What forwarding needs to know of a container: the same for all rooms. */
import type { Duplex } from 'node:stream'
import type { Target } from '../../place.ts'
import type { ExecStream } from './exec-stream.ts'
import type { Announcement } from './header.ts'
import type { Plan } from './plan.ts'

export type TcpTarget = Extract<Target, { kind: 'tcp' }>

/** A program of ours that stays. */
export interface Helping {
  /** For the log. */
  readonly what: string
  readonly words: readonly string[]
  readonly announcement: Announcement
  /** Takes what it writes to standard error. */
  said(bytes: Uint8Array): void
}

export interface ForwardPlace {
  readonly plan: Pick<Plan, 'agent' | 'hasShell' | 'mode'>
  /** Aborted when the container is about to be removed, or has ended. */
  readonly closing: AbortSignal
  /** Milliseconds. */
  readonly timeouts: { readonly commandStart: number; readonly signal: number }
  readonly codes: {
    readonly forwardingFailed: 'DOCKER_FORWARDING_FAILED' | 'KUBERNETES_FORWARDING_FAILED' | 'SANDBOX_FORWARDING_FAILED'
    readonly agentFailed: 'DOCKER_AGENT_FAILED' | 'KUBERNETES_AGENT_FAILED' | 'SANDBOX_AGENT_FAILED'
    readonly agentLog: 'DOCKER_AGENT_LOG' | 'KUBERNETES_AGENT_LOG' | 'SANDBOX_AGENT_LOG'
  }
  /** @throws Fault */
  open(helping: Helping, signal: AbortSignal): Promise<ExecStream>
  /** Runs a short program to its end. @throws Fault */
  help(words: readonly string[], signal: AbortSignal): Promise<unknown>
  /** What is at the agent's path is none. */
  noAgent?(reason: string): void
  /** Has the worker wait for something at its end that goes on without its owner. */
  track(task: Promise<unknown>): void
  /** Brings a guest agent into the container, which has none yet. Undefined: that is not possible after all. */
  summon?(signal: AbortSignal): Promise<Plan['agent']>
  /**
   * The room's own way to a port at which a program of the container listens, which needs nobody in there. Undefined: it
   * does not lead to that target. @throws Fault SSH_FORWARD_CONNECT_FAILED
   */
  dialOutside?(target: TcpTarget, signal: AbortSignal): Promise<Duplex | undefined>
}
