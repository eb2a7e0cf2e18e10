/** `containerssh --healthcheck`: asks the health endpoint of the running server. */
import { ConfigErrors, loadConfig } from '../shared/config/load.ts'
import type { Config } from '../shared/config/schema.ts'
import type { Log } from '../shared/log.ts'
import { bootstrapLog, logConfigErrors } from './bootstrap.ts'

const ask = async (url: string, timeoutMs: number, log: Log): Promise<number> => {
  let statusCode: number
  try {
    const response = await fetch(url, {
      redirect: 'manual',
      headers: { accept: 'application/json' },
      signal: AbortSignal.timeout(timeoutMs),
    })
    statusCode = response.status
    await response.body?.cancel()
  } catch (cause) {
    log.emit('CORE_HEALTH_CHECK_FAILED', { url }, { cause: cause instanceof Error ? (cause.cause ?? cause) : cause })
    return 1
  }
  if (statusCode === 200) {
    log.emit('CORE_HEALTH_CHECK_SUCCESSFUL', {})
    return 0
  }
  log.emit('CORE_HEALTH_CHECK_FAILED', { url, statusCode })
  return 1
}

/** Resolves to the exit status. */
export const healthCheck = async (configPath: string): Promise<number> => {
  let config: Config
  try {
    config = (await loadConfig(configPath, { onlyParse: true })).config
  } catch (error) {
    if (!(error instanceof ConfigErrors)) throw error
    logConfigErrors(bootstrapLog(1), error)
    return 1
  }
  const log = bootstrapLog(1, config.log.level)
  if (!config.health.enable) {
    const cause = 'health.enable is false in the configuration, so there is nothing to ask'
    log.emit('CORE_HEALTH_CHECK_FAILED', { url: config.health.client.url }, { cause })
    return 1
  }
  return ask(config.health.client.url, config.health.client.timeout, log)
}
