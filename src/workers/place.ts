/** Places that a client's forwarding leads to, or at which connections for the client arrive. Part of the seams of `ports.ts`. */
import type { Duplex } from 'node:stream'

export type Target =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string }
/** Where the client says a connection comes from (RFC 4254 section 7.2): for logs, nothing that can be relied on. */
export interface Origin {
  readonly address: string
  readonly port: number
}

/** A place inside of the room at which connections for the client arrive. */
export type Door =
  /** RFC 4254 section 7.1; port 0: the room chooses one. */
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'x11'; readonly x11: X11 }
  /** The client's authentication agent (draft-miller-ssh-agent section 4). */
  | { readonly kind: 'agent' }
export interface X11 {
  /** Only the first connection. */
  readonly single: boolean
  readonly protocol: string
  /** Hexadecimal, as received: a secret. */
  readonly cookie: string
  readonly screen: number
}
/** Called for each connection; takes ownership of the stream, which is destroyed when the client does not want it. */
export type Arrive = (door: Door, stream: Duplex, origin: Origin) => void
export interface Listening extends AsyncDisposable {
  /** Of a TCP door, the one that was chosen; 0 for all others. */
  readonly port: number
  /** What programs must know to find the door, such as DISPLAY or SSH_AUTH_SOCK. */
  readonly env: ReadonlyMap<string, string>
}

/** As logs and rules name it: `example.org:443`, `[::1]:80`, a socket's path, `x11` or `agent`. */
export function placeName(place: Target | Door): string {
  switch (place.kind) {
    case 'tcp':
      return place.host.includes(':') ? `[${place.host}]:${place.port}` : `${place.host}:${place.port}`
    case 'unix':
      return place.path
    case 'x11':
    case 'agent':
      return place.kind
  }
}
