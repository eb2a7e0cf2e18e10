/**
 * The whole configuration: one file per section, put together here. Key names and their order are those of the files
 * that the Go program wrote, so existing files load; `auth.users`, `limits` and the limits in `ssh` are ours.
 */
import type * as z from 'zod'
import { audit } from './audit.ts'
import { auth } from './auth.ts'
import { docker } from './docker.ts'
import { duration, integer, name, section } from './fields.ts'
import { kubernetes } from './kubernetes.ts'
import { limits } from './limits.ts'
import { security } from './security.ts'
import { configserver, geoip, health, log, metrics } from './services.ts'
import { ssh } from './ssh.ts'
import { sshproxy } from './sshproxy.ts'

export const schema = section({
  ssh,
  configserver,
  auth,
  log,
  metrics,
  geoip,
  audit,
  health,
  security,
  /** The name of a room; `checks.ts` knows which exist. */
  backend: name('docker'),
  docker,
  kubernetes,
  sshproxy,
  limits,
  /** Worker processes; 0: one per processor core. */
  workers: integer(0, 0, 1024),
  /** From SIGTERM until the last connections are cut. */
  shutdownTimeout: duration(20_000, 1),
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
