/**
 * Handlers over the users of a file. What takes equally long for users that exist and users that do not: passwords, by
 * `credentials.ts`; keys, because each is one look into one set. The question of keyboard-interactive is everybody's.
 */
import { type CredentialOptions, createCredentials } from '../../shared/credentials.ts'
import type { WebhookRequest } from '../../shared/webhook/requests.ts'
import { type AuthAnswer, type Context, Unavailable, type UserConfig, type WebhookHandlers } from '../handlers.ts'
import { additionOf } from './answer.ts'
import type { FileUser } from './schema.ts'

const noKeys: ReadonlySet<string> = new Set()

/** `TYPE BASE64`, as a webhook is asked. */
const keyOf = (line: string): string => line.trim().split(/\s+/, 2).join(' ')

export function handlersOf(users: readonly FileUser[], options: CredentialOptions = {}): Required<WebhookHandlers> {
  const byName = new Map(users.map((user) => [user.name, user]))
  const keys = new Map(users.map(({ name, authorizedKeys }) => [name, new Set(authorizedKeys.map(keyOf))]))
  const credentials = createCredentials(users, options)
  const answerOf = (success: boolean, { username }: WebhookRequest): AuthAnswer => {
    const user = byName.get(username)
    return { success: success && user !== undefined, ...(success && user !== undefined && additionOf(user)) }
  }
  const matches = async (request: WebhookRequest, password: Uint8Array, { signal }: Context): Promise<AuthAnswer> => {
    const verdict = await credentials.verify(request.username, password, signal)
    if (verdict === 'busy') throw new Unavailable('too many passwords are being looked at')
    return answerOf(verdict === 'match', request)
  }
  return {
    password: (request, context) => matches(request, request.password, context),
    publicKey: (request) => answerOf((keys.get(request.username) ?? noKeys).has(request.publicKey), request),
    keyboardInteractive(request, context) {
      const [answer] = request.answers ?? []
      if (request.answers === undefined) return { challenge: { prompts: [{ text: 'Password: ', echo: false }] } }
      return answer === undefined ? { success: false } : matches(request, answer, context)
    },
    authorization: (request) => answerOf(byName.get(request.username)?.authorized === true, request),
    configuration: ({ username }) => {
      const config = byName.get(username)?.config
      return config === undefined ? {} : { config: config as UserConfig } // checked when the file was read
    },
  }
}
