/** A container that only stays alive, for the programs that are started in it. */
import { fault } from '../../../shared/codes/fault.ts'
import { canBeDirect } from '../guest/command.ts'
import type { Plan } from '../guest/plan.ts'
import type { ContainerExtras } from './container.ts'

/** @throws Fault when nothing can keep the container alive. */
export function idling(plan: Plan): ContainerExtras {
  const { idle } = plan
  if (idle !== undefined) return { Cmd: idle, isDirect: canBeDirect(plan) }
  const reason =
    'the image has neither the guest agent nor a shell: give it an idleCommand, an agentBinary, or use mode: session'
  throw fault('DOCKER_CONTAINER_START_FAILED', { reason }, { level: 'error' })
}
