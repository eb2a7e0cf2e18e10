/**
 * A process of its own that uploads, to be killed: `node uploader.ts DIRECTORY URL`, with access key, secret key and bucket
 * in the environment. It keeps one log of the bytes on its standard input, and says on its output what it logs.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { createS3Target } from '../../../src/primary/audit/s3/index.ts'
import { settingsOf } from '../../../src/primary/audit/s3/settings.ts'
import { createS3Threads } from '../../../src/primary/audit/s3/threads.ts'
import { formatLine } from '../../../src/shared/log/format.ts'
import { createLog } from '../../../src/shared/log.ts'
import { facts, s3Options } from './target.ts'

const [, , directory = '', url = ''] = process.argv
const { ACCESS_KEY: accessKey = '', SECRET_KEY: secretKey = '', BUCKET: bucket = '' } = process.env
const settings = { ...s3Options({ accessKey, secretKey, bucket, url }), local: directory }
const log = createLog({ level: 'debug', write: (line) => process.stdout.write(formatLine(line, 'ljson')) })
const { ask } = createS3Threads(settingsOf(settings), (error) => {
  throw error
})
const target = createS3Target({ settings, format: 'binary', log, ask })

const bytes = await buffer(process.stdin)
await target.start()
writeFileSync(join(directory, 'interrupted'), bytes)
target.opened('interrupted', facts)
target.closed('interrupted', bytes.length)
setInterval(() => undefined, 60_000)
