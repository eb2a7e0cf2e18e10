/** The daemon with echo workers, for tests of its signals. Its configuration is in the environment. */
import { runDaemon } from '../../src/primary/main.ts'
import { takeSockets } from '../../src/primary/sockets.ts'
import { defaults } from '../../src/shared/config/schema.ts'
import { openStandardOutput } from '../../src/shared/log/output.ts'

const { health, ssh, ...rest } = JSON.parse(process.env['ECHO_CONFIG'] ?? '{}') as Record<string, object>
const base = defaults()
const config = {
  ...base,
  workers: 1,
  ...rest,
  log: { ...base.log, level: 'debug' as const },
  ssh: { ...base.ssh, listen: '127.0.0.1:0', penalties: { ...base.ssh.penalties, enable: false }, ...ssh },
  health: { ...base.health, listen: '127.0.0.1:0', ...health },
}
const output = openStandardOutput(1, config.log)
const workerEntry = new URL('echo-worker.ts', import.meta.url)
const loaded = { config, warnings: [], deprecations: [] }
process.exitCode = await runDaemon({
  config,
  configPath: '/nowhere',
  hostKeys: [],
  output,
  workerEntry,
  sockets: takeSockets(process.env),
  load: async () => loaded,
})
output.close()
