/** The small sections: `configserver`, `log`, `metrics`, `geoip`, `health`. */
import * as z from 'zod'
import { choice, duration, flag, integer, kinds, name, ours, section } from './fields.ts'
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
  destination: choice(['stdout', 'file', 'syslog', 'journald'], 'stdout').describe('Where the log goes.'),
  file: name('/var/log/containerssh/containerssh.log').describe('The file; opened again on SIGHUP.'),
  syslog: section({
    destination: name('/dev/log').describe(
      "A socket's path, or `host:port` over UDP; ours: `tcp://host:port`, with octet counting (RFC 6587).",
    ),
    facility: choice(facilities, 'auth').describe('Facility of the messages.'),
    tag: name('ContainerSSH').describe('Name of the program in the messages.'),
    pid: flag().describe('Adds the process ID to it.'),
    protocol: choice(['rfc3164', 'rfc5424'], 'rfc3164').meta(ours('Form of the messages.')),
    enterpriseId: integer(0, 0, 0xffff_ffff).meta(
      ours(
        'With `rfc5424`: the labels are sent as structured data `containerssh@ID`, with the private enterprise number that IANA gave to whoever runs this server. 0: none.',
      ),
    ),
  }).describe('Syslog.'),
  journald: section({
    fields: flag(true).meta(
      ours("Where standard output leads to systemd's journal: level, code and labels become fields of the entries."),
    ),
    socket: name('/run/systemd/journal/socket').meta(ours("Socket of the journal's native protocol.")),
    identifier: name('containerssh').meta(ours('SYSLOG_IDENTIFIER of the entries.')),
  }).meta(ours('The journal of systemd: for `destination: journald`, and for standard output that leads there.')),
  queueBytes: integer(4 * 1024 * 1024, 64 * 1024, 1024 * 1024 * 1024).meta(
    ours('What may wait for a destination that is slow or broken. Records beyond are dropped and counted.'),
  ),
  flood: section({
    records: integer(1000, 0).meta(
      ours('Records of one code about one source (an address, or an IPv6 /64) within `interval`; 0: no limit.'),
    ),
    interval: duration(10_000, 1000).meta(ours('After it the number of those that were not written is.')),
  }).meta(ours('Limit for floods. Errors and records about logins are exempt.')),
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
  provider: choice(['dummy', 'maxmind'], 'dummy').describe(
    'Where countries of addresses come from, for metrics and the audit log. `dummy`: each is XX.',
  ),
  'maxmind-geoip2-file': name('/var/lib/GeoIP/GeoIP2-Country.mmdb').describe(
    'GeoIP2 or GeoLite2 database of countries or cities. Read again on SIGHUP, and within a minute after it changed.',
  ),
})
export const health = section({
  enable: flag().describe('Opens the endpoint.'),
  ...httpServer('0.0.0.0:7000'),
  client: section(httpClient('http://127.0.0.1:7000/')).describe('How `--healthcheck` asks.'),
})
