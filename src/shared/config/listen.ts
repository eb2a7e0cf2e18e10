/** `host:port` as in `ssh.listen`. */
export interface ListenAddress {
  /** Undefined: all addresses of both families. */
  readonly host: string | undefined
  /** 0: a free one. */
  readonly port: number
}

/** IPv6 addresses stand in brackets. Undefined if the text is no such address. */
export const parseListen = (text: string): ListenAddress | undefined => {
  const found = /^(?:\[([0-9A-Fa-f:.%\w]+)\]|([^\s:[\]/]*)):(\d{1,5})$/.exec(text)
  if (found === null) return undefined
  const port = Number(found[3])
  if (port > 65_535) return undefined
  return { host: found[1] ?? (found[2] === '' ? undefined : found[2]), port }
}
