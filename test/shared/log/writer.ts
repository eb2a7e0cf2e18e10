/** A process of its own that writes to a log as told on the command line, for tests that need real descriptors. */
import { openOutput } from '../../../src/shared/log/output.ts'
import { createLog, type Level } from '../../../src/shared/log.ts'

/** Destination (`stdout` or a file), number of records, bytes of each, what to do at the end. */
const [destination = 'stdout', count = '1', size = '10', end = 'close'] = process.argv.slice(2)

const output = await openOutput({
  level: 'debug',
  format: 'ljson',
  destination: destination === 'stdout' ? 'stdout' : 'file',
  file: destination,
  syslog: { destination: '', facility: 'auth', tag: '', pid: false },
})
const log = createLog({ level: 'debug' satisfies Level, write: output.write })
const text = 'x'.repeat(Number(size))
let longestPause = 0
for (let n = 0; n < Number(count); n++) {
  log.emit('DOCKER_AGENT_LOG', { text: `${n} ${text}` })
  if (n % 100 !== 0) continue
  const before = performance.now()
  await new Promise(setImmediate)
  longestPause = Math.max(longestPause, performance.now() - before)
}
if (end === 'linger') await new Promise((resolve) => setTimeout(resolve, 500))
const { dropped, queuedBytes } = output
output.close(300)
process.stderr.write(`${JSON.stringify({ dropped, queuedBytes, lost: output.dropped - dropped, longestPause })}\n`)
process.exit(0)
