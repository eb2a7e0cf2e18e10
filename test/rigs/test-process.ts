/** Loaded into the process of each test file before the file (`--import`). */
import process from 'node:process'
import fc from 'fast-check'

// Whether a commit may land must not depend on luck: new cases are looked for on the developers' machines.
if (process.env['CI'] === 'true') fc.configureGlobal({ seed: 20_261_126 })

// The runner calls a file that is over its time a failure, but waits for its process (seen with Node 24.21).
const limitMs = Number(process.env['TEST_FILE_LIMIT_MS'])
if (limitMs > 0) {
  setTimeout(() => {
    process.stderr.write(`✖ ${process.argv[1]} did not end within ${limitMs} ms\n`)
    process.kill(process.pid, 'SIGKILL')
  }, limitMs).unref()
}
