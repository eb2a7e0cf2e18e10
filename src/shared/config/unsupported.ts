/**
 * Options that this version reads, so that existing files load, but cannot honour yet when they are switched on. The
 * issue that builds a feature deletes its rows.
 */
import type { Config } from './schema.ts'

interface Row {
  readonly option: string
  readonly isOn: (config: Config) => boolean
}

/** Dotted names of leaves that differ between two plain values. */
const differences = (value: unknown, preset: unknown, path: string): string[] => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return JSON.stringify(value) === JSON.stringify(preset) ? [] : [path]
  }
  const presets = (preset ?? {}) as Readonly<Record<string, unknown>>
  return Object.entries(value).flatMap(([key, child]) => differences(child, presets[key], `${path}.${key}`))
}

const rows: readonly Row[] = [
  { option: 'configserver.url', isOn: ({ configserver }) => configserver.url !== '' },
  { option: 'auth.password.method', isOn: ({ auth }) => auth.password.method === 'kerberos' },
  { option: 'auth.keyboardInteractive.method', isOn: ({ auth }) => auth.keyboardInteractive.method === 'oauth2' },
  { option: 'auth.gssapi.method', isOn: ({ auth }) => auth.gssapi.method !== '' },
  { option: 'metrics.enable', isOn: ({ metrics }) => metrics.enable },
  { option: 'geoip.provider', isOn: ({ geoip }) => geoip.provider !== 'dummy' },
  { option: 'audit.enable', isOn: ({ audit }) => audit.enable },
  ...(['key', 'cert', 'clientcacert'] as const).map((key) => ({
    option: `health.${key}`,
    isOn: ({ health }: Config) => health.enable && health[key] !== '',
  })),
]

/** What the refused options are set to is already allowed everywhere: nothing is forbidden. */
const isOpen = (path: string, value: unknown): boolean => value === 'enable' && !path.includes('.forwarding.')

const at = (config: Config, path: string): unknown =>
  path.split('.').reduce<unknown>((value, key) => (value as Readonly<Record<string, unknown>>)[key], config)

/** Dotted names of the options that are on and cannot be honoured. */
export const unsupportedOptions = (config: Config, defaults: Config): string[] => [
  ...rows.filter((row) => row.isOn(config)).map((row) => row.option),
  ...differences(config.security, defaults.security, 'security').filter((path) => !isOpen(path, at(config, path))),
]
