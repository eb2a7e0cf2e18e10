/** The small sections: `configserver`, `log`, `metrics`, `geoip`, `health`. */
import * as z from 'zod'
import { choice, flag, kinds, name, section } from './fields.ts'
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
  .register(kinds, { form: 'text', emptyMeansDefault: true })
  .default('notice')

export const log = section({
  level,
  format: choice(['ljson', 'text'], 'ljson'),
  destination: choice(['stdout', 'file', 'syslog'], 'stdout'),
  file: name('/var/log/containerssh/containerssh.log'),
  syslog: section({
    /** A socket's path, or `host:port` over UDP. */
    destination: name('/dev/log'),
    facility: choice(facilities, 'auth'),
    tag: name('ContainerSSH'),
    pid: flag(),
  }),
})

export const configserver = section({ ...httpClient(), transmitSensitiveMetadata: flag() })
export const metrics = section({ ...httpServer('0.0.0.0:9100'), enable: flag(), path: name('/metrics') })
export const geoip = section({
  provider: choice(['dummy', 'maxmind'], 'dummy'),
  'maxmind-geoip2-file': name('/var/lib/GeoIP/GeoIP2-Country.mmdb'),
})
export const health = section({
  enable: flag(),
  ...httpServer('0.0.0.0:7000'),
  client: section(httpClient('http://127.0.0.1:7000/')),
})
