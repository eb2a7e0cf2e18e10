/** The small sections: `configserver`, `log`, `metrics`, `geoip`, `health`. */
import * as z from 'zod'
import { choice, duration, flag, kinds, name, ours, section } from './fields.ts'
import { httpClient, httpServer } from './http.ts'

/** In the order of syslog's numbers (RFC 5424 section 6.2.1). */
export const levels = ['emerg', 'alert', 'crit', 'error', 'warning', 'notice', 'info', 'debug'] as const
const facilities = [
  ...(['kern', 'user', 'mail', 'daemon', 'auth', 'syslog', 'lpr', 'news', 'uucp', 'cron', 'authpriv', 'ftp'] as const),
  ...(['ntp', 'logaudit', 'logalert', 'clock', 'local0', 'local1', 'local2', 'local3', 'local4', 'local5'] as const),
  ...(['local6', 'local7'] as const),
] as const

/** A level's name, or its number. */
const level = z
  .preprocess(
    (value) => (/^[0-7]$/.test(String(value)) ? levels[Number(value)] : value),
    z.enum(levels, { error: `is not a log level; expected one of ${levels.join(', ')}, or 0 to 7` }),
  )
  .register(kinds, { form: 'text', emptyMeansDefault: true, zeros: ['emerg', '0'] })
  .default('notice')

export const log = section({
  level: level.describe('What is logged: this level and those before it. A name or its number.'),
  format: choice(['ljson', 'text'], 'ljson').describe('One JSON object per line, or text for people.'),
  destination: choice(['stdout', 'file', 'syslog'], 'stdout').describe('Where the log goes.'),
  file: name('/var/log/containerssh/containerssh.log').describe('The file; opened again on SIGHUP.'),
  syslog: section({
    destination: name('/dev/log').describe("A socket's path, or `host:port` over UDP."),
    facility: choice(facilities, 'auth').describe('Facility of the messages.'),
    tag: name('ContainerSSH').describe('Name of the program in the messages.'),
    pid: flag().describe('Adds the process ID to it.'),
  }).describe('Syslog.'),
})

export const configserver = section({
  ...httpClient(),
  transmitSensitiveMetadata: flag().describe('Values marked as sensitive are sent too, as the Go program always did.'),
  configTimeout: duration(60_000, 100).meta(ours('For all tries together.')),
  retryRefusals: flag(true).meta(
    ours(
      'Asks again also after what will be refused again: a status of 4xx, a redirect, an answer that cannot be decoded, a certificate that is not trusted.',
    ),
  ),
  merge: choice(['nonzero', 'present'], 'nonzero').meta(
    ours(
      '`nonzero`: values that are empty, 0 or false change nothing; `present`: they count, and null stands for the default.',
    ),
  ),
  ignoreOtherOptions: flag().meta(
    ours(
      'Options that cannot be set per user are left alone, with a warning; otherwise an answer with one refuses the login.',
    ),
  ),
  legacyFields: flag().meta(ours('Also sends `sessionId` and `remoteAddr`, which servers from before 0.5 may read.')),
})
export const metrics = section({
  ...httpServer('0.0.0.0:9100'),
  enable: flag().describe('Opens the endpoint.'),
  path: name('/metrics').describe('Path of the endpoint.'),
})
export const geoip = section({
  provider: choice(['dummy', 'maxmind'], 'dummy').describe('`dummy`: every country is XX.'),
  'maxmind-geoip2-file': name('/var/lib/GeoIP/GeoIP2-Country.mmdb').describe('Database of MaxMind.'),
})
export const health = section({
  enable: flag().describe('Opens the endpoint.'),
  ...httpServer('0.0.0.0:7000'),
  client: section(httpClient('http://127.0.0.1:7000/')).describe('How `--healthcheck` asks.'),
})
