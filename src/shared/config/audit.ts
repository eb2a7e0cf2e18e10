/** `audit`: recording of sessions. */
import { recipientProblem } from '../audit/envelope-keys.ts'
import { patternProblem } from '../pattern.ts'
import { checked, choice, duration, flag, integer, list, name, ours, secret, section, text, texts } from './fields.ts'

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
  parallelUploads: integer(20, 1).describe('Requests at the same time, for all logs and their parts.'),
  metadata: section({
    ip: flag().describe("The client's address."),
    username: flag().describe('The login name.'),
  }).describe('What goes into the metadata of objects.'),
  sessionToken: secret().meta(ours('Session token of temporary keys.')),
  defaultCredentials: flag().meta(
    ours(
      'Keys of the environment, of a profile, of a web identity or of the instance, in place of `accessKey` and `secretKey`.',
    ),
  ),
  keyPrefix: text().meta(ours('Put before the name of each object, e.g. `logs/`.')),
  storageClass: text().meta(ours('Storage class of each object, e.g. `STANDARD_IA`; empty: that of the bucket.')),
  serverSideEncryption: choice(['', 'AES256', 'aws:kms', 'aws:kms:dsse'], '').meta(
    ours('How the service encrypts the objects; empty: as the bucket says.'),
  ),
  kmsKeyId: text().meta(ours('Key for `aws:kms`; empty: the default one.')),
  verify: flag(true).meta(ours('Asks for size and ETag of each object before its local file is removed.')),
})

export const audit = section({
  enable: flag().describe('Records what happens in sessions.'),
  format: choice(['none', 'binary', 'asciinema', 'zstd'], 'none').describe(
    'Format of the logs; `zstd` is `binary` in a smaller form that only our own tools read.',
  ),
  storage: choice(['none', 'file', 's3'], 'none').describe('Where they go.'),
  moreStorages: texts().meta(ours('Further places where the same logs go: `file`, `s3`.')),
  file: section({ directory: name('/var/log/audit').describe('Folder of the logs.') }).describe('Storage in files.'),
  s3: s3.describe('Storage in S3.'),
  intercept: section({
    stdin: flag().describe('What users type.'),
    stdout: flag().describe('What programs write.'),
    stderr: flag().describe('What programs write to standard error.'),
    passwords: flag().describe('Passwords and keyboard-interactive answers.'),
    forwarding: flag().describe('What passes through forwarded connections.'),
    echoOff: flag().meta(ours('What users type while the terminal does not show it; without it such input is masked.')),
  }).describe('What is recorded besides the events.'),
  redact: list(checked((text) => patternProblem({ regex: text }))).meta(
    ours('Regular expressions (RE2); what they find in commands and in values of variables is recorded as `***`.'),
  ),
  onFailure: choice(['end', 'continue'], 'end').meta(
    ours('When a log cannot be written: `end` the connection, or let it `continue` unrecorded.'),
  ),
  sign: flag(true).meta(ours('Chains the messages and signs the end of each log with the ed25519 host key.')),
  recipients: list(checked(recipientProblem)).meta(
    ours('Encrypts logs to these before they reach the disk: age recipients (`age1…`) or X25519 public keys.'),
  ),
  syncInterval: duration(1000).meta(ours('Logs are flushed to the disk so often, and when they end; 0: only then.')),
  lowDiskBytes: integer(64 * 2 ** 20, 0).meta(
    ours('With less free space than this no connection is accepted, so that running sessions can be recorded.'),
  ),
  connectionBytes: integer(2 ** 20, 65_536, 2 ** 30).meta(
    ours('Records of one connection that are not stored yet, above which it waits.'),
  ),
  workerBytes: integer(16 * 2 ** 20, 65_536, 2 ** 32).meta(ours('The same for all connections of a worker process.')),
  threads: integer(0, 0, 64).meta(ours('Threads that encode and store; 0: one per processor core, at most 4.')),
})
