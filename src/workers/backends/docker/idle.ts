/** What keeps the container of a connection alive. */
import { SHELL } from './command.ts'
import type { DockerSettings } from './room.ts'

/** Stands in for the guest agent as the container's main process. TERM ends it in about 0.1 s. */
const SHELL_IDLE = [SHELL, '-c', "trap 'exit 0' INT TERM; while :; do sleep 3600 & wait $!; done"]

/** Without the guest agent its command, which is the default, would only make the start fail. */
export function idleCommand({ execution }: DockerSettings): readonly string[] {
  const { disableAgent, idleCommand: configured, agentPath } = execution
  return disableAgent && configured[0] === agentPath ? SHELL_IDLE : configured
}
