/** `containerssh webhook-server` and its flags. */
import { nearest } from '../shared/config/problems.ts'

export interface WebhookServerAction {
  readonly kind: 'webhook-server'
  readonly users: string
  readonly listen: string
  readonly tls: { readonly cert: string; readonly key: string; readonly clientCa?: string } | undefined
}
interface Wrong {
  readonly kind: 'wrong'
  readonly message: string
}

export const webhookServerUsage = `       containerssh webhook-server --users FILE [--listen HOST:PORT] [--tls-cert FILE --tls-key FILE [--client-ca FILE]]
                                                   answer webhooks for the users of a file; default 127.0.0.1:8080`

const flags = ['users', 'listen', 'tls-cert', 'tls-key', 'client-ca'] as const
const isFlag = (name: string): name is (typeof flags)[number] => (flags as readonly string[]).includes(name)
const wrong = (message: string): Wrong => ({ kind: 'wrong', message })

/** `argv` after the word. */
export function parseWebhookServerArguments(argv: readonly string[]): WebhookServerAction | Wrong | { kind: 'help' } {
  const given = new Map<(typeof flags)[number], string>()
  const rest = [...argv]
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    const [, name = '', value] = /^--?([^-=][^=]*)(?:=(.*))?$/s.exec(word) ?? []
    if (name === 'help' || name === 'h') return { kind: 'help' }
    if (!isFlag(name)) {
      const meant = nearest(name, flags)
      return wrong(
        `unknown argument of webhook-server: ${word}${meant === undefined ? '' : `; did you mean --${meant}?`}`,
      )
    }
    const text = value ?? rest.shift()
    if (text === undefined || text === '') return wrong(`flag needs a value: --${name}`)
    given.set(name, text)
  }
  const [users, cert, key, clientCa] = (['users', 'tls-cert', 'tls-key', 'client-ca'] as const).map((name) =>
    given.get(name),
  )
  if (users === undefined) return wrong('webhook-server needs --users FILE')
  const listen = given.get('listen') ?? '127.0.0.1:8080'
  if (cert === undefined && key === undefined) {
    return clientCa === undefined
      ? { kind: 'webhook-server', users, listen, tls: undefined }
      : wrong('--client-ca needs --tls-cert and --tls-key')
  }
  if (cert === undefined || key === undefined) return wrong('--tls-cert and --tls-key belong together')
  const tls = { cert, key, ...(clientCa !== undefined && { clientCa }) }
  return { kind: 'webhook-server', users, listen, tls }
}
