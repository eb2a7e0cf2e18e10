/** Checked by `tsc` only: each `@ts-expect-error` line must be an error, everything else must not be one. */
import { createAuthServer, createConfigServer, type UserConfig } from '../../src/webhook-server/index.ts'

export const fine: readonly UserConfig[] = [
  {},
  { backend: 'docker', docker: { execution: { container: { image: 'busybox' }, mode: 'session' } } },
  { docker: { timeouts: { containerStart: '30s' } }, security: { maxSessions: -1, forceCommand: null } },
  { limits: { idleTimeout: '5m' }, log: { level: 'debug' } },
]

export async function servers(): Promise<void> {
  await createAuthServer({
    password: ({ password }) => password.length > 0,
    publicKey: async ({ publicKey }) => ({ success: publicKey !== '', metadata: { A: 'b' } }),
    keyboardInteractive: ({ answers }) => (answers === undefined ? { challenge: { prompts: [{ text: 'a' }] } } : true),
    authorization: ({ authenticatedUsername, metadata }) => metadata.get(authenticatedUsername)?.sensitive === true,
  })
  await createConfigServer(({ username }, { signal }) => ({
    config: { backend: username },
    files: signal.aborted ? {} : {},
  }))

  // @ts-expect-error a decision is needed
  await createAuthServer({ password: () => undefined })
  // @ts-expect-error there is no such webhook
  await createAuthServer({ pubkey: () => true })
  // @ts-expect-error questions belong to keyboard-interactive
  await createAuthServer({ password: () => ({ challenge: {} }) })
  // @ts-expect-error there is no such option
  await createConfigServer(() => ({ config: { docker: { exection: {} } } }))
  // @ts-expect-error it cannot be set per user
  await createConfigServer(() => ({ config: { ssh: {} } }))
  // @ts-expect-error a value or a mapping with it
  await createConfigServer(() => ({ metadata: { A: 5 } }))
}
