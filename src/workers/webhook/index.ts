/** The webhooks that are configured: made once per worker. */
import { activeWebhooks, type HttpClientSettings, webhookSections } from '../../shared/config/auth-checks.ts'
import type { Config } from '../../shared/config/index.ts'
import { createUserConfigs } from '../../shared/config/user/index.ts'
import type { Authenticator } from './authenticate.ts'
import type { Authorizer } from './authorize.ts'
import { createHttpClient, type HttpClient } from './client.ts'
import type { ConfigServer } from './configure.ts'

export interface Webhooks extends AsyncDisposable {
  readonly password: Authenticator | undefined
  readonly publicKey: Authenticator | undefined
  readonly keyboardInteractive: Authenticator | undefined
  readonly authz: Authorizer | undefined
  readonly configuration: ConfigServer | undefined
}

/**
 * Undefined if there is none. Sections with the same options share connections, and the knowledge that a server is down.
 * `rooms`: values of `backend` that a user may have.
 */
export function createWebhooks(config: Config, rooms: readonly string[] = [config.backend]): Webhooks | undefined {
  const { auth, configserver } = config
  if (activeWebhooks(auth).length === 0 && configserver.url === '') return undefined
  const clients = new Map<string, HttpClient>()
  const clientOf = (section: HttpClientSettings): HttpClient => {
    const { url, allowRedirects, timeout, cacert, cert, key, tlsVersion, curves, cipher } = section
    const settings = { url, allowRedirects, timeout, cacert, cert, key, tlsVersion, curves, cipher }
    const name = JSON.stringify(settings)
    const client = clients.get(name) ?? createHttpClient(settings)
    clients.set(name, client)
    return client
  }
  const [password, publicKey, keyboardInteractive, authz] = webhookSections.map((name) =>
    auth[name].method === 'webhook' ? clientOf(auth[name].webhook) : undefined,
  )
  return {
    password: password && { client: password, settings: auth.password.webhook },
    publicKey: publicKey && { client: publicKey, settings: auth.publicKey.webhook },
    keyboardInteractive: keyboardInteractive && {
      client: keyboardInteractive,
      settings: auth.keyboardInteractive.webhook,
    },
    authz: authz && { client: authz, settings: auth.authz.webhook },
    configuration:
      configserver.url === ''
        ? undefined
        : { client: clientOf(configserver), settings: configserver, configs: createUserConfigs(config, rooms) },
    async [Symbol.asyncDispose]() {
      for (const client of clients.values()) await client[Symbol.asyncDispose]()
    },
  }
}
