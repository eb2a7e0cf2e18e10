/** `audit`: recording of sessions. */
import { choice, flag, integer, name, secret, section, text } from './fields.ts'

const leastPartBytes = 5 * 1024 * 1024

export const audit = section({
  enable: flag(),
  format: choice(['none', 'binary', 'asciinema'], 'none'),
  storage: choice(['none', 'file', 's3'], 'none'),
  file: section({ directory: name('/var/log/audit') }),
  s3: section({
    local: name('/var/lib/audit'),
    accessKey: text(),
    secretKey: secret(),
    bucket: text(),
    region: text(),
    endpoint: text(),
    cacert: text(),
    acl: text(),
    pathStyleAccess: flag(),
    /** Bytes; S3 accepts no smaller parts. */
    uploadPartSize: integer(leastPartBytes, leastPartBytes),
    parallelUploads: integer(20, 1),
    metadata: section({ ip: flag(), username: flag() }),
  }),
  intercept: section({ stdin: flag(), stdout: flag(), stderr: flag(), passwords: flag(), forwarding: flag() }),
})
