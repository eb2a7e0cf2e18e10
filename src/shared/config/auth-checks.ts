/** Rules over the webhooks of `auth`, over `configserver` and over `auth.required`. */
import type { Finding } from './checks.ts'
import { show } from './problems.ts'
import type { Config } from './schema.ts'

type Auth = Config['auth']
/** What every webhook has: the options of an HTTP client. */
export type HttpClientSettings = Config['health']['client']

/** Sections that can have a webhook, by their names. */
export const webhookSections = ['password', 'publicKey', 'keyboardInteractive', 'authz'] as const
export type WebhookSection = (typeof webhookSections)[number]

/** Those that are switched on. */
export const activeWebhooks = (auth: Auth): readonly WebhookSection[] =>
  webhookSections.filter((name) => auth[name].method === 'webhook')

/** Somebody other than `auth.users` lets people in. */
export const isServed = ({ password, publicKey, keyboardInteractive, gssapi }: Auth): boolean =>
  [password, publicKey, keyboardInteractive, gssapi].some(({ method }) => method !== '')

export const urlProblem = (url: string): string | undefined => {
  const parsed = URL.parse(url)
  const usable = parsed !== null && ['http:', 'https:'].includes(parsed.protocol) && !/[\s#]|%(?![\da-f]{2})/i.test(url)
  if (usable) return undefined
  // Its user part may hold a password.
  return `${url.includes('@') ? 'the value' : show(url)} is not a URL; expected e.g. "https://auth.example.com"`
}

export const webhookUrls = ({ auth, configserver }: Config): Finding[] => {
  const ofConfiguration = configserver.url === '' ? undefined : urlProblem(configserver.url)
  const found = activeWebhooks(auth).flatMap((name) => {
    const { url } = auth[name].webhook
    const message = url === '' ? 'is missing; the webhook needs it' : urlProblem(url)
    return message === undefined ? [] : [{ path: ['auth', name, 'webhook', 'url'], message }]
  })
  return ofConfiguration === undefined ? found : [...found, { path: ['configserver', 'url'], message: ofConfiguration }]
}

const methodSections = {
  publickey: 'publicKey',
  password: 'password',
  'keyboard-interactive': 'keyboardInteractive',
} as const

/** A chain that nobody can complete would lock everybody out. */
export const chains = ({ auth }: Config): Finding[] => {
  const ofUsers = {
    publickey: auth.userCAs.length > 0 || auth.users.some((user) => user.authorizedKeys.length > 0),
    password: auth.users.some((user) => user.passwordHash !== undefined),
    'keyboard-interactive': false,
  }
  return auth.required.flatMap((chain, index): Finding[] => {
    const path = ['auth', 'required', index]
    if (chain.length === 0) return [{ path, message: 'is empty; expected e.g. [publickey, password]' }]
    return chain.flatMap((method, step) => {
      const at = [...path, step]
      if (chain.indexOf(method) !== step) return [{ path: at, message: `${show(method)} stands here a second time` }]
      const section = methodSections[method]
      if (ofUsers[method] || auth[section].method !== '') return []
      return [{ path: at, message: `nobody could pass ${show(method)}; auth.${section}.method is not set` }]
    })
  })
}
