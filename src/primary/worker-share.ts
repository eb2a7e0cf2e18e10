/** What of the daemon's secrets a worker is given: those that it works with, and no others. */

import type { Config } from '../shared/config/index.ts'
import { isS3Used } from '../shared/config/s3-checks.ts'

/** The configuration without the keys of what only the primary does: host keys, S3, the endpoints for monitors. */
export function workerConfig(config: Config): Config {
  const { ssh, audit, metrics, health } = config
  // Where keys come from is not the worker's business: so nothing is missing when the configuration of a user is checked.
  const s3 = { ...audit.s3, accessKey: '', secretKey: '', sessionToken: '', defaultCredentials: true }
  return {
    ...config,
    ssh: { ...ssh, hostkeys: [] },
    audit: { ...audit, s3 },
    metrics: { ...metrics, key: '' },
    health: { ...health, key: '', client: { ...health.client, key: '' } },
  }
}

/** Names of variables of this process that its workers do not get: keys of S3, if they are taken from there. */
export const withheldVariables = (config: Config, names: readonly string[]): string[] =>
  isS3Used(config) && config.audit.s3.defaultCredentials ? names.filter((name) => name.startsWith('AWS_')) : []
