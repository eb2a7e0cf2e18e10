/** How a place that is dialled or listened at is named in logs and rules. */
import type { Door, Target } from './ports.ts'

/** `example.org:443`, `[::1]:80`, a socket's path, `x11` or `agent`. */
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
