/** What the author of a webhook server writes: one function for each webhook that it has. */
import type * as z from 'zod'
import type { schema } from '../shared/config/schema.ts'
import type {
  AuthorizationRequest,
  ConfigurationRequest,
  InteractiveRequest,
  PasswordRequest,
  PublicKeyRequest,
} from '../shared/webhook/requests.ts'

export interface Context {
  /** Aborted when the daemon does not wait any more: it went away, or the time for the answer is over. */
  readonly signal: AbortSignal
}
/** A failure of a handler is answered with status 500, which the daemon tries again. It never ends the server. */
export type Handler<R, A> = (request: R, context: Context) => A | Promise<A>

/** Thrown by a handler that cannot answer now: status 503, and no error in the log. */
export class Unavailable extends Error {
  override readonly name = 'Unavailable'
}

/** Alone, or with a mark: what is sensitive is not sent to later webhooks. */
export type Marked<V> = V | { readonly value: V; readonly sensitive?: boolean }

/** What becomes known about the user; equal names of earlier answers are overwritten. */
export interface Addition {
  /** Who it really is; the login name if absent. */
  readonly authenticatedUsername?: string
  readonly metadata?: Readonly<Record<string, Marked<string>>>
  /** Variables of the container. */
  readonly environment?: Readonly<Record<string, Marked<string>>>
  /** Absolute path in the container to its content; a text is written as UTF-8. */
  readonly files?: Readonly<Record<string, Marked<string | Uint8Array>>>
}
export interface AuthAnswer extends Addition {
  readonly success: boolean
}
export interface ChallengeAnswer {
  readonly challenge: {
    readonly name?: string
    readonly instruction?: string
    /** At most 16. None: only the instruction is shown. */
    readonly prompts?: readonly { readonly text: string; readonly echo?: boolean }[]
    /** Comes back with the answers; at most 4096 characters. */
    readonly state?: string
  }
}
export interface ConfigAnswer extends Addition {
  readonly config?: UserConfig
}

/** Every option may be absent. Durations are best written as texts (`30s`): a number means nanoseconds. */
type Partly<T> = T extends number
  ? number | string
  : T extends readonly (infer E)[]
    ? readonly Partly<E>[]
    : T extends object
      ? { readonly [K in keyof T]?: Partly<T[K]> | null }
      : T
type File = NonNullable<z.input<typeof schema>>
/** What of the configuration file can be different for each user, in the shape of the file. */
export type UserConfig = Partly<
  Pick<File, 'security' | 'backend' | 'docker' | 'kubernetes' | 'sandbox' | 'sshproxy'>
> & {
  readonly log?: { readonly level?: string }
  readonly limits?: Partly<NonNullable<File['limits']>>
}

export interface AuthHandlers {
  readonly password?: Handler<PasswordRequest, boolean | AuthAnswer>
  /** Asked before the client has proved that it has the private key. */
  readonly publicKey?: Handler<PublicKeyRequest, boolean | AuthAnswer>
  /** At first without answers; then with those to the challenge that it gave. */
  readonly keyboardInteractive?: Handler<InteractiveRequest, boolean | AuthAnswer | ChallengeAnswer>
  /** May somebody who has proved to be `authenticatedUsername` come in? */
  readonly authorization?: Handler<AuthorizationRequest, boolean | AuthAnswer>
}
export type ConfigHandler = Handler<ConfigurationRequest, ConfigAnswer>
/** By the names in src/shared/webhook/webhooks.ts. */
export interface WebhookHandlers extends AuthHandlers {
  readonly configuration?: ConfigHandler
}
