/** The webhooks that are configured: made once per worker. */
import { activeWebhooks, type WebhookSection, webhookSections } from '../../shared/config/auth-checks.ts'
import type { Config } from '../../shared/config/index.ts'
import type { Authenticator } from './authenticate.ts'
import type { Authorizer } from './authorize.ts'
import { createHttpClient, type HttpClient } from './client.ts'

export interface Webhooks extends AsyncDisposable {
  readonly password: Authenticator | undefined
  readonly publicKey: Authenticator | undefined
  readonly keyboardInteractive: Authenticator | undefined
  readonly authz: Authorizer | undefined
}

/** Undefined if there is none. Sections with the same options share connections, and the knowledge that a server is down. */
export function createWebhooks(auth: Config['auth']): Webhooks | undefined {
  if (activeWebhooks(auth).length === 0) return undefined
  const clients = new Map<string, HttpClient>()
  const clientOf = (section: WebhookSection): HttpClient | undefined => {
    if (auth[section].method !== 'webhook') return undefined
    const { url, allowRedirects, timeout, cacert, cert, key, tlsVersion, curves, cipher } = auth[section].webhook
    const settings = { url, allowRedirects, timeout, cacert, cert, key, tlsVersion, curves, cipher }
    const name = JSON.stringify(settings)
    const client = clients.get(name) ?? createHttpClient(settings)
    clients.set(name, client)
    return client
  }
  const [password, publicKey, keyboardInteractive, authz] = webhookSections.map(clientOf)
  return {
    password: password && { client: password, settings: auth.password.webhook },
    publicKey: publicKey && { client: publicKey, settings: auth.publicKey.webhook },
    keyboardInteractive: keyboardInteractive && {
      client: keyboardInteractive,
      settings: auth.keyboardInteractive.webhook,
    },
    authz: authz && { client: authz, settings: auth.authz.webhook },
    async [Symbol.asyncDispose]() {
      for (const client of clients.values()) await client[Symbol.asyncDispose]()
    },
  }
}
