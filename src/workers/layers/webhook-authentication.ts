/** Lets in whom the authentication webhooks accept. */
import type { Attempt, AuthVerdict, Connection, Layer, Peer } from '../ports.ts'
import { accepted, authenticateInteractively, authenticateKey, authenticatePassword } from '../webhook/authenticate.ts'
import type { Webhooks } from '../webhook/index.ts'
import { keyLine } from '../webhook/protocol.ts'

type KeyAttempt = Extract<Attempt, { readonly method: 'publickey' }>
/** The server's yes to a key query. */
interface Acceptable {
  readonly username: string
  readonly line: string
  readonly verdict: AuthVerdict
}

export const webhookAuthentication = (webhooks: Webhooks, peer: Peer): Layer<Connection> => {
  const { password, publicKey, keyboardInteractive } = webhooks
  return (inner) => {
    let acceptable: Acceptable | undefined
    /** The signed request that follows its query is the same login: the server is asked once, as by the Go program. */
    const byKey = async (username: string, { blob, signed }: KeyAttempt, signal: AbortSignal): Promise<AuthVerdict> => {
      if (publicKey === undefined) throw new Error('unreachable: no webhook for keys')
      const line = keyLine(blob)
      const known = acceptable
      acceptable = undefined
      if (signed && known?.username === username && known.line === line && known.verdict.outcome === 'success') {
        accepted(peer, known.verdict.member, publicKey.client.endpoint, 'pubkey')
        return known.verdict
      }
      const verdict = await authenticateKey(publicKey, { peer, username, signal }, line, signed)
      if (!signed && verdict.outcome === 'success') acceptable = { username, line, verdict }
      return verdict
    }
    return {
      ...inner,
      methods: [...new Set([...methodsOf(webhooks), ...inner.methods])],
      authenticate(username, attempt, signal) {
        if (attempt.method !== 'publickey') acceptable = undefined
        switch (attempt.method) {
          case 'password':
            if (password === undefined) break
            return authenticatePassword(password, { peer, username, signal }, attempt.password)
          case 'publickey':
            if (publicKey === undefined) break
            return byKey(username, attempt, signal)
          case 'keyboard-interactive':
            if (keyboardInteractive === undefined) break
            return authenticateInteractively(keyboardInteractive, { peer, username, signal }, attempt)
          case 'none':
            break
          default:
            attempt satisfies never
        }
        return inner.authenticate(username, attempt, signal)
      },
    }
  }
}

const methodsOf = ({ password, publicKey, keyboardInteractive }: Webhooks): string[] => [
  ...(publicKey === undefined ? [] : ['publickey']),
  ...(password === undefined ? [] : ['password']),
  ...(keyboardInteractive === undefined ? [] : ['keyboard-interactive']),
]
