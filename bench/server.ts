/** A server under load, as the questions see it. */
export const keyTypes = ['ed25519', 'ecdsa', 'rsa'] as const
export type KeyType = (typeof keyTypes)[number]
export type Method = 'key' | 'password'

export interface Server extends AsyncDisposable {
  /** Column heading: `ours`, `sshd`. */
  readonly name: string
  /** Root of the process tree. */
  readonly pid: number
  /** host:port. */
  readonly address: string
  /** Flags of the load generator that log in. */
  login(method: Method): readonly string[]
  /** Commands that all servers understand in the same way; `{bytes}` in `source` is replaced by the generator. */
  readonly commands: Commands
  /** One line for the report. */
  readonly about: string
}

export interface Commands {
  /** Sends `{bytes}` zero bytes. */
  readonly source: string
  /** Takes everything. */
  readonly sink: string
  readonly echo: string
  readonly true: string
}

/**
 * Those of a POSIX shell; `{blocks}` is replaced as `{bytes}` is, in units of 64 KiB. `head -c` of busybox would write byte
 * by byte and be the bottleneck.
 */
export const shellCommands: Commands = {
  source: 'dd if=/dev/zero bs=65536 count={blocks} 2>/dev/null',
  sink: 'cat >/dev/null; true',
  echo: 'exec cat',
  true: 'true',
}

/** Files, names and secrets that are made anew for each run. */
export interface Credentials {
  /** A scratch directory that only we can list. */
  readonly directory: string
  readonly user: string
  readonly password: string
  /** ed25519, OpenSSH format. */
  readonly keyFile: string
  readonly publicKey: string
  /** By type; OpenSSH format. */
  readonly hostKeyFiles: Readonly<Record<KeyType, string>>
  /** The text of the ed25519 one. */
  readonly hostKey: string
}

/** Starts a server for one question; disposal ends all of its processes. */
export type Start = (credentials: Credentials, signal: AbortSignal) => Promise<Server>

/**
 * Starts them at the same time, under the names given; they end with `running`. All of them have started or failed when it
 * returns or throws.
 */
export async function startTogether(
  { credentials, signal }: { readonly credentials: Credentials; readonly signal: AbortSignal },
  running: AsyncDisposableStack,
  starts: Iterable<readonly [name: string, start: Start]>,
): Promise<Server[]> {
  const started = await Promise.allSettled(
    [...starts].map(async ([name, start]) => ({ ...running.use(await start(credentials, signal)), name })),
  )
  return started.map((one) => {
    if (one.status === 'rejected') throw one.reason
    return one.value
  })
}

export const loginFlags =
  ({ user, password, keyFile }: Credentials) =>
  (method: Method): readonly string[] =>
    method === 'key' ? ['-user', user, '-key', keyFile] : ['-user', user, '-password', password]
