/** `containerssh --healthcheck`: asks the health endpoint of the running server. */
import { get, type IncomingMessage } from 'node:http'
import { Agent, get as getTls } from 'node:https'
import { readClient } from '../shared/config/client-files.ts'
import { ConfigErrors, loadConfig } from '../shared/config/load.ts'
import type { Config } from '../shared/config/schema.ts'
import type { Log } from '../shared/log.ts'
import { secureContextOf } from '../shared/tls-client.ts'
import { bootstrapLog, logConfigErrors } from './bootstrap.ts'

/** The status of the answer. @throws Error when there is none */
function statusOf(client: Config['health']['client']): Promise<number> {
  const url = new URL(client.url)
  const options = { headers: { accept: 'application/json' }, agent: false, signal: AbortSignal.timeout(client.timeout) }
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  const answered = (response: IncomingMessage): void => {
    response.resume()
    resolve(response.statusCode ?? 0)
  }
  const request =
    url.protocol === 'https:'
      ? getTls(url, { ...options, agent: new Agent({ secureContext: secureContextOf(client) }) }, answered)
      : get(url, options, answered)
  request.on('error', reject)
  return promise
}

const ask = async (client: Config['health']['client'], log: Log): Promise<number> => {
  const { url } = client
  let statusCode: number
  try {
    statusCode = await statusOf(client)
  } catch (cause) {
    log.emit('HEALTH_REQUEST_FAILED', { url }, { cause })
    log.emit('CORE_HEALTH_CHECK_FAILED', { url })
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
  const problems: string[] = []
  const client = await readClient(config.health.client, (key, message) => {
    problems.push(`health.client.${key}: ${message}`)
  })
  for (const cause of problems) log.emit('CORE_CONFIG_ERROR', { file: configPath }, { cause })
  return problems.length === 0 ? ask(client, log) : 1
}
