/**
 * The whole configuration: one file per section, put together here. Key names and their order are those of the files
 * that the Go program wrote, so existing files load; options with `ours(…)` it did not have. The descriptions are those of
 * docs/config.md and docs/config.schema.json.
 */
import type * as z from 'zod'
import { audit } from './audit.ts'
import { auth } from './auth.ts'
import { control } from './control.ts'
import { docker } from './docker.ts'
import { duration, integer, name, ours, section, text } from './fields.ts'
import { kubernetes } from './kubernetes.ts'
import { limits } from './limits.ts'
import { sandbox } from './sandbox.ts'
import { security } from './security.ts'
import { configserver, geoip, health, log, metrics } from './services.ts'
import { ssh } from './ssh.ts'
import { sshproxy } from './sshproxy.ts'

export const schema = section({
  ssh: ssh.describe('The SSH server.'),
  configserver: configserver.describe('Webhook that is asked for the configuration of each user. Off without a URL.'),
  auth: auth.describe('Who may log in.'),
  log: log.describe('The log.'),
  metrics: metrics.describe('Endpoint for Prometheus.'),
  geoip: geoip.describe('Countries of addresses, for metrics and audit logs.'),
  audit: audit.describe('Recording of sessions.'),
  health: health.describe('Endpoint that tells whether the server runs.'),
  security: security.describe('What a logged-in user may ask for.'),
  // `checks.ts` knows which exist.
  backend: name('docker').describe('Where sessions live: `docker`, `kubernetes`, `sandbox` or `sshproxy`.'),
  docker: docker.describe('The Docker backend.'),
  kubernetes: kubernetes.describe('The Kubernetes backend.'),
  sshproxy: sshproxy.describe('The backend that forwards to another SSH server.'),
  sandbox: sandbox.meta(ours('The backend of sandboxes on this machine, without a container engine.')),
  limits: limits.meta(
    ours('How long a session may last, and how much one connection may have at a time. Sizes are bytes.'),
  ),
  control: control.meta(ours('The socket of `containerssh ctl`; see [control.md](control.md).')),
  instance: text().meta(
    ours(
      'Name of this server, if it is to know again what it left behind after it was restarted in another container or on another machine. Leases are kept on the engine then.',
    ),
  ),
  workers: integer(0, 0, 1024).meta(ours('Worker processes; 0: one per processor core.')),
  workerUser: text().meta(
    ours(
      'System user that worker processes run as. Empty: `containerssh-worker`, if it exists and this process may change users; otherwise the user of this process.',
    ),
  ),
  shutdownTimeout: duration(20_000, 1).meta(ours('From SIGTERM until the last connections are cut.')),
  retireTimeout: duration(86_400_000, 0).meta(
    ours(
      'After the configuration was loaded again or a new version took over: as long as the connections from before may go on. 0: as long as they like.',
    ),
  ),
})

type DeepReadonly<T> = T extends readonly (infer E)[]
  ? readonly DeepReadonly<E>[]
  : T extends object
    ? { readonly [K in keyof T]: DeepReadonly<T[K]> }
    : T

/** The effective configuration, every default filled in. Durations are milliseconds, sizes bytes. */
export type Config = DeepReadonly<z.output<typeof schema>>
export type SecurityConfig = Config['security']
export type User = Config['auth']['users'][number]

/** What an empty file means, before the check that somebody can log in. */
export const defaults = (): Config => schema.parse({})
