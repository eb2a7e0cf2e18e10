/** Which containers are alike: made of the same settings, so that whoever comes may have any of them. */
import { createHash } from 'node:crypto'
import { idleCommand } from './idle.ts'
import type { DockerSettings } from './room.ts'

/** The name of the profile; undefined: containers of these settings cannot be made ahead. */
export function profileOf(settings: DockerSettings): string | undefined {
  const { execution, pool } = settings
  if (pool.min === 0 || execution.mode !== 'connection' || execution.containername !== '') return undefined
  const { container, host, network, platform } = execution
  const launch = JSON.stringify([container, host, network, platform, idleCommand(settings)])
  return createHash('sha256').update(launch).digest('hex').slice(0, 16)
}
