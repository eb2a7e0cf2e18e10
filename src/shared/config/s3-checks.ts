/** Rules over `audit.s3`, when logs go there. */
import { urlProblem } from './auth-checks.ts'
import type { Finding } from './checks.ts'
import { show } from './problems.ts'
import type { Config } from './schema.ts'

const path = (key: string): string[] => ['audit', 's3', key]

export const isS3Used = ({ audit }: Config): boolean =>
  audit.enable && (audit.storage === 's3' || audit.moreStorages.includes('s3'))

/** Of the S3 API: 1024 bytes of UTF-8 for a key, of which a log's name takes some. */
const longestPrefix = 900

export const s3Findings = (config: Config): Finding[] => {
  if (!isS3Used(config)) return []
  const { s3 } = config.audit
  const found: Finding[] = []
  const missing = (key: string, expected: string): void => {
    found.push({ path: path(key), message: `is missing; expected ${expected}` })
  }
  for (const key of ['accessKey', 'secretKey'] as const) {
    if (s3[key] === '' && !s3.defaultCredentials) missing(key, 'it, or defaultCredentials: true')
    if (s3[key] !== '' && s3.defaultCredentials) {
      found.push({ path: path(key), message: 'is of no use with defaultCredentials; expected one of the two' })
    }
  }
  if (s3.bucket === '') missing('bucket', 'the name of a bucket')
  if (s3.endpoint === '' && s3.region === '') missing('region', 'e.g. "eu-central-1", or an endpoint')
  const problem = s3.endpoint === '' ? undefined : urlProblem(s3.endpoint)
  if (problem !== undefined) found.push({ path: path('endpoint'), message: problem })
  if (Buffer.byteLength(s3.keyPrefix) > longestPrefix || s3.keyPrefix.startsWith('/')) {
    const message = `${show(s3.keyPrefix)} is not accepted; expected at most ${longestPrefix} bytes, and no slash at the start`
    found.push({ path: path('keyPrefix'), message })
  }
  if (s3.kmsKeyId !== '' && !s3.serverSideEncryption.startsWith('aws:kms')) {
    found.push({ path: path('kmsKeyId'), message: 'has no effect; expected serverSideEncryption: aws:kms' })
  }
  return found
}
