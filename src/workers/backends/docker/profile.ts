/** Which containers are alike: made of the same settings, so that whoever comes may have any of them. */
import { createHash } from 'node:crypto'
import type { DockerSettings } from './room.ts'

/** The name of the profile; undefined: containers of these settings cannot be made ahead. */
export function profileOf(settings: DockerSettings): string | undefined {
  const { execution, pool } = settings
  if (pool.min === 0 || execution.mode !== 'connection' || execution.containername !== '') return undefined
  if (settings.share.by !== 'none') return undefined
  return createHash('sha256').update(launchOf(settings)).digest('hex').slice(0, 16)
}

/** All of the settings that make a container what it is. */
export function launchOf({ execution }: DockerSettings): string {
  const { container, host, network, platform, idleCommand } = execution
  const { agentMode, disableAgent, agentPath, agentBinary, sftp, subsystems, directStreams } = execution
  const guest = [agentMode, disableAgent, agentPath, agentBinary, sftp, subsystems['sftp'], directStreams]
  return JSON.stringify([container, host, network, platform, idleCommand, guest])
}
