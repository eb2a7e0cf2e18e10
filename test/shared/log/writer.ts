/** A process of its own that writes to a log as told on the command line, for tests that need real descriptors. */
import { setImmediate, setTimeout } from 'node:timers/promises'
import { defaults } from '../../../src/shared/config/schema.ts'
import { openOutput } from '../../../src/shared/log/output.ts'
import { createLog } from '../../../src/shared/log.ts'

/** Destination (`stdout` or a file), records, bytes of each, time limit of close(), a pause before it, options as JSON. */
const [destination = 'stdout', count = '1', size = '10', closeMs = '300', lingerMs = '0', more = '{}'] =
  process.argv.slice(2)

const output = await openOutput({
  ...defaults().log,
  level: 'debug',
  destination: destination === 'stdout' ? 'stdout' : 'file',
  file: destination,
  ...JSON.parse(more),
})
const log = createLog({ level: 'debug', write: output.write })
const text = 'x'.repeat(Number(size))
for (let n = 0; n < Number(count); n++) {
  log.emit('DOCKER_AGENT_LOG', { text: `${n} ${text}` })
  if (n % 100 === 0) await setImmediate()
}
await setTimeout(Number(lingerMs))
const { dropped } = output
output.close(Number(closeMs))
process.stderr.write(`${JSON.stringify({ dropped, lost: output.dropped - dropped })}\n`)
process.exit(0)
