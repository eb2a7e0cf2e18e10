/** `audit`: recording of sessions. */
import { choice, flag, integer, name, secret, section, text } from './fields.ts'

const leastPartBytes = 5 * 1024 * 1024

const s3 = section({
  local: name('/var/lib/audit').describe('Folder in which logs wait for their upload.'),
  accessKey: text().describe('Access key.'),
  secretKey: secret().describe('Secret key.'),
  bucket: text().describe('Bucket.'),
  region: text().describe('Region.'),
  endpoint: text().describe('URL of an S3-compatible service; empty: AWS.'),
  cacert: text().describe('Certificates of the authorities that the service is checked against, as PEM text.'),
  acl: text().describe('Canned ACL of each object; empty: none is sent.'),
  pathStyleAccess: flag().describe('`host/bucket/key` instead of `bucket.host/key`.'),
  uploadPartSize: integer(leastPartBytes, leastPartBytes).describe('Bytes of a part; S3 accepts no smaller ones.'),
  parallelUploads: integer(20, 1).describe('Logs that are uploaded at the same time.'),
  metadata: section({
    ip: flag().describe("The client's address."),
    username: flag().describe('The login name.'),
  }).describe('What goes into the metadata of objects.'),
})

export const audit = section({
  enable: flag().describe('Records what happens in sessions.'),
  format: choice(['none', 'binary', 'asciinema'], 'none').describe('Format of the logs.'),
  storage: choice(['none', 'file', 's3'], 'none').describe('Where they go.'),
  file: section({ directory: name('/var/log/audit').describe('Folder of the logs.') }).describe('Storage in files.'),
  s3: s3.describe('Storage in S3.'),
  intercept: section({
    stdin: flag().describe('What users type.'),
    stdout: flag().describe('What programs write.'),
    stderr: flag().describe('What programs write to standard error.'),
    passwords: flag().describe('Passwords.'),
    forwarding: flag().describe('What passes through forwarded connections.'),
  }).describe('What is recorded besides the events.'),
})
