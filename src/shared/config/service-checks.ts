/** Addresses on which this server listens, and to which it sends. */
import { parseSyslogTarget } from '../log/syslog-target.ts'
import { urlProblem } from './auth-checks.ts'
import type { Finding } from './checks.ts'
import { parseListen } from './listen.ts'
import { show } from './problems.ts'
import type { Config } from './schema.ts'

const listen = (path: readonly string[], text: string): Finding[] =>
  parseListen(text) === undefined
    ? [{ path, message: `${show(text)} is not an address; expected e.g. "0.0.0.0:2222", "[::1]:2222"` }]
    : []

const syslog = ({ log }: Config): Finding[] => {
  const { destination } = log.syslog
  if (log.destination !== 'syslog' || parseSyslogTarget(destination) !== undefined) return []
  const expected = 'expected e.g. "/dev/log", "192.0.2.1:514", "tcp://192.0.2.1:601"'
  const message = `${show(destination)} is neither a path nor an address; ${expected}`
  return [{ path: ['log', 'syslog', 'destination'], message }]
}

const healthClient = ({ health }: Config): Finding[] => {
  const message = urlProblem(health.client.url)
  return health.enable && message !== undefined ? [{ path: ['health', 'client', 'url'], message }] : []
}

const metricsPath = ({ metrics }: Config): Finding[] =>
  metrics.enable && !metrics.path.startsWith('/')
    ? [{ path: ['metrics', 'path'], message: `${show(metrics.path)} is not a path; expected e.g. "/metrics"` }]
    : []

export const addresses = (config: Config): Finding[] => [
  ...listen(['ssh', 'listen'], config.ssh.listen),
  ...(['metrics', 'health'] as const).flatMap((name) =>
    config[name].enable ? listen([name, 'listen'], config[name].listen) : [],
  ),
  ...syslog(config),
  ...healthClient(config),
  ...metricsPath(config),
]
