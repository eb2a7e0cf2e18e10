/** The server: configuration, log, host keys, then the daemon. */
import { Fault } from '../shared/codes/fault.ts'
import { ConfigErrors, type Loaded, loadConfig } from '../shared/config/load.ts'
import { type Output, openOutput } from '../shared/log/output.ts'
import { createLog, type Log } from '../shared/log.ts'
import { bootstrapLog, logConfigErrors } from './bootstrap.ts'
import { loadHostKeys } from './host-keys.ts'
import { takeSockets } from './sockets.ts'

const LINGER_MS = 1000

export interface ServeOptions {
  readonly rooms?: readonly string[]
  readonly workerEntry?: URL
}

const complain = (log: Log, error: unknown): 1 => {
  if (error instanceof ConfigErrors) logConfigErrors(log, error)
  else if (error instanceof Fault) log.fault(error)
  else throw error
  return 1
}

const start = async (
  path: string,
  { config, warnings, deprecations }: Loaded,
  output: Output,
  options: ServeOptions,
): Promise<number> => {
  const write = output.write
  const log = createLog({ level: config.log.level, labels: { module: 'core' }, write })
  log.emit('CORE_CONFIG_FILE', { file: path })
  for (const cause of warnings) log.emit('CORE_CONFIG_WARNING', { file: path }, { cause })
  for (const { record } of deprecations) log.fault(record)
  let hostKeys: readonly string[]
  try {
    hostKeys = await loadHostKeys({ config, configPath: path, log })
  } catch (error) {
    return complain(log, error)
  }
  const { runDaemon } = await import('./main.ts')
  const workerEntry = options.workerEntry === undefined ? {} : { workerEntry: options.workerEntry }
  const load = () => loadConfig(path, options)
  try {
    const sockets = takeSockets(process.env)
    return await runDaemon({ config, configPath: path, hostKeys, output, sockets, load, ...workerEntry })
  } catch (error) {
    return complain(log, error)
  }
}

/** Runs until a signal ends it. `path` is absolute. Resolves to the exit status. */
export const serve = async (path: string, options: ServeOptions = {}): Promise<number> => {
  let loaded: Loaded
  let output: Output
  try {
    loaded = await loadConfig(path, options)
    output = await openOutput(loaded.config.log)
  } catch (error) {
    return complain(bootstrapLog(1), error)
  }
  try {
    return await start(path, loaded, output, options)
  } finally {
    await output.drain()
    output.close()
    // A service that was left behind may hold the process, for which its supervisor waits.
    setTimeout(() => process.exit(), LINGER_MS).unref()
  }
}
