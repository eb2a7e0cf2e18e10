/** What `log.syslog.destination` may say. */
export type SyslogTarget =
  | { readonly transport: 'unix'; readonly path: string }
  | { readonly transport: 'udp'; readonly host: string; readonly port: number }
  | { readonly transport: 'tcp'; readonly host: string; readonly port: number }

/** A path, or `host:port` with `udp://` (the default) or `tcp://` before it. Undefined if it is neither. */
export function parseSyslogTarget(text: string): SyslogTarget | undefined {
  if (text.startsWith('/')) return { transport: 'unix', path: text }
  const [, transport, bracketed, plain, digits] =
    /^(?:(udp|tcp):\/\/)?(?:\[([^\]]+)\]|([^:/]+)):(\d{1,5})$/.exec(text) ?? []
  const host = bracketed ?? plain
  const port = Number(digits)
  if (host === undefined || port < 1 || port > 65_535) return undefined
  return { transport: transport === 'tcp' ? 'tcp' : 'udp', host, port }
}
