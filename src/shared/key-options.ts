/** The options of an authorized key, and what a certificate allows: sshd(8), AUTHORIZED_KEYS FILE FORMAT. */
import type { AddressList } from './address-list.ts'
import { flagOptions, valueOptions } from './key-option-table.ts'

/** `host` may hold the wildcards that OpenSSH allows there; no `port` is any port. */
export interface Place {
  readonly host: string
  readonly port?: number
}

export interface KeyOptions {
  /** The key signs certificates, and is none to log in with. */
  readonly certAuthority: boolean
  /** A certificate must list one of these instead of the login name. */
  readonly principals?: readonly string[]
  readonly from?: AddressList
  /** Milliseconds since 1970; the last moment at which the key is good. */
  readonly expiresMs?: number
  readonly command?: string
  readonly pty: boolean
  readonly portForwarding: boolean
  readonly agentForwarding: boolean
  readonly x11Forwarding: boolean
  /** Of security keys (PROTOCOL.u2f): somebody touched it; somebody proved to it who they are. */
  readonly touchRequired: boolean
  readonly verifyRequired: boolean
  /** Nothing else may be connected to, or listened on. */
  readonly permitOpen?: readonly Place[]
  readonly permitListen?: readonly Place[]
  readonly environment: ReadonlyMap<string, string>
}

/** What a key without options may do. */
export const noOptions: KeyOptions = {
  certAuthority: false,
  pty: true,
  portForwarding: true,
  agentForwarding: true,
  x11Forwarding: true,
  touchRequired: true,
  verifyRequired: false,
  environment: new Map(),
}

/** A name, then perhaps a value in quotes, in which only a quote is escaped; a backslash before others is itself. */
const option = /([A-Za-z0-9-]+)(="((?:\\"|[^"\\]|\\(?!"))*)")?/y

/**
 * Reads the options at the start of a line. Returns them and where the blank behind them is.
 * @throws Error that names the option which cannot be honoured; its text reads after "the line".
 */
export const parseKeyOptions = (line: string): { readonly options: KeyOptions; readonly end: number } => {
  let options: KeyOptions = noOptions
  for (let at = 0; ; at++) {
    option.lastIndex = at
    const match = option.exec(line)
    const rest = JSON.stringify(line.slice(at, at + 20))
    if (match === null) throw new Error(`has no option where ${rest} stands`)
    const [all, name = '', value, text = ''] = match
    at += all.length
    const next = line[at]
    if (next === '=') throw new Error(`has the option ${name} with a value that is not in quotes, or not ended by one`)
    options = { ...options, ...change(options, name.toLowerCase(), value && text.replaceAll('\\"', '"')) }
    if (next === ' ' || next === '\t') return { options, end: at }
    if (next !== ',') throw new Error(`has no comma or blank behind the option ${name}`)
  }
}

function change(options: KeyOptions, name: string, value: string | undefined): Partial<KeyOptions> {
  const flag = flagOptions.get(name)
  const read = valueOptions.get(name)
  if (flag === undefined && read === undefined) throw new Error(`has the unknown option ${name}`)
  if (flag !== undefined) {
    if (value !== undefined) throw new Error(`has a value for the option ${name}, which takes none`)
    return flag
  }
  if (value === undefined) throw new Error(`has the option ${name} without a value, expected ${name}="…"`)
  try {
    return read?.(value, options) ?? {}
  } catch (error) {
    throw new Error(`has an unusable option ${name}: ${error instanceof Error ? error.message : String(error)}`)
  }
}
