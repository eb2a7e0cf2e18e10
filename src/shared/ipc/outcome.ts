/** How a connection ended, as far as it matters for who may connect next. */

/** What a client did before it had logged in, and a penalty exists for. */
export const offences = ['auth-failed', 'no-auth', 'grace-exceeded', 'protocol-error', 'refused'] as const
export type Offence = (typeof offences)[number]

/** As a worker reports it. `session`: the user had logged in; `server`: we ended it, the client is not to blame. */
export const outcomes = [
  'session',
  'server',
  'auth-failed',
  'no-auth',
  'grace-exceeded',
  'protocol-error',
] as const satisfies readonly (Offence | 'session' | 'server')[]
export type Outcome = (typeof outcomes)[number]
