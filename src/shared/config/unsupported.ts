/**
 * Options that this version reads, so that existing files load, but cannot honour yet when they are switched on. The
 * issue that builds a feature deletes its rows.
 */
import type { Config } from './schema.ts'

interface Row {
  readonly option: string
  readonly isOn: (config: Config) => boolean
}

const rows: readonly Row[] = [
  { option: 'auth.password.method', isOn: ({ auth }) => auth.password.method === 'kerberos' },
  { option: 'auth.keyboardInteractive.method', isOn: ({ auth }) => auth.keyboardInteractive.method === 'oauth2' },
  { option: 'auth.gssapi.method', isOn: ({ auth }) => auth.gssapi.method !== '' },
]

/** Dotted names of the options that are on and cannot be honoured. */
export const unsupportedOptions = (config: Config): string[] =>
  rows.filter((row) => row.isOn(config)).map((row) => row.option)
