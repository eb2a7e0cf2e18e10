/** The options of the configuration as the thread that uploads needs them. */
import type { Config } from '../../../shared/config/index.ts'
import type { S3Settings } from '../../../shared/s3-call.ts'

const usualLimits: S3Settings['limits'] = {
  connectMs: 5000,
  idleMs: 30_000,
  requestMs: 60_000,
  leastBytesPerSecond: 32_768,
}
/** Services of others do not look at it, but it is part of each signature. */
const anyRegion = 'us-east-1'

export function settingsOf(s3: Config['audit']['s3'], limits: Partial<S3Settings['limits']> = {}): S3Settings {
  const { accessKey, secretKey, sessionToken } = s3
  const keys = { accessKeyId: accessKey, secretAccessKey: secretKey }
  return {
    bucket: s3.bucket,
    endpoint: s3.endpoint,
    region: s3.region === '' ? anyRegion : s3.region,
    credentials: s3.defaultCredentials ? undefined : sessionToken === '' ? keys : { ...keys, sessionToken },
    cacert: s3.cacert,
    forcePathStyle: s3.pathStyleAccess,
    checksums: s3.endpoint === '',
    connections: s3.parallelUploads,
    limits: { ...usualLimits, ...limits },
  }
}
