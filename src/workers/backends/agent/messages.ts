/** Payloads of the guest agent's packets. */
import type { Door, Origin, Target } from '../../place.ts'
import { CborError, CborReader, encode, extent } from './cbor.ts'

/**
 * What our guest helper can do and old agents cannot: they ignore the wish, and answer without a payload. SUCCESS then
 * says what was opened and ERROR why not; connections have windows and end one direction after the other.
 */
const extensions = 1
/** Bytes of a connection that may be on the way to us. */
export const ourWindow = 128 * 1024

/** Values of ConnectionType. */
const connectionType = { x11: 0, listen: 1, dial: 2 } as const

/** A door as the agent opens it. An agent's door with an empty path: somewhere. */
export type Opening = Exclude<Door, { kind: 'agent' }>

/** Payload of SETUP. `undefined`: for connections that we dial. */
export function setup(opening: Opening | undefined): Buffer {
  const x11 = opening?.kind === 'x11' ? opening.x11 : undefined
  return encode({
    ConnectionType:
      opening === undefined ? connectionType.dial : x11 === undefined ? connectionType.listen : connectionType.x11,
    BindHost: opening?.kind === 'tcp' ? hostOf(opening.host) : opening?.kind === 'unix' ? opening.path : '',
    BindPort: opening?.kind === 'tcp' ? opening.port : 0,
    Protocol: opening === undefined ? '' : opening.kind === 'unix' ? 'unix' : 'tcp',
    Screen: x11 === undefined ? '' : String(x11.screen),
    SingleConnection: x11?.single ?? false,
    AuthProtocol: x11?.protocol ?? '',
    AuthCookie: x11?.cookie ?? '',
    Extensions: extensions,
    Window: ourWindow,
  })
}

/** Old agents leave the brackets of IPv6 addresses to us. */
const hostOf = (host: string): string => (host.includes(':') && !host.startsWith('[') ? `[${host}]` : host)

/** What the agent says about itself when it is ready. */
export interface Ready {
  /** Bytes of a connection that may be on the way to the agent; undefined: an old agent, without extensions. */
  readonly window: number | undefined
  readonly port: number
  readonly path: string
}

/** @throws CborError */
export function readReady(payload: Buffer): Ready {
  let [window, port, path]: [number | undefined, number, string] = [undefined, 0, '']
  eachField(payload, (key, reader) => {
    if (key === 'window') window = reader.uint()
    else if (key === 'port') port = reader.uint()
    else if (key === 'path') path = reader.text()
    else reader.skip()
  })
  return { window, port, path }
}

/** Payload of NEW_CONNECTION. */
export const newConnection = (target: Target, origin: Origin): Buffer =>
  encode({
    Protocol: target.kind,
    ConnectedAddress: target.kind === 'unix' ? target.path : hostOf(target.host),
    ConnectedPort: target.kind === 'unix' ? 0 : target.port,
    OriginatorAddress: origin.address,
    OriginatorPort: origin.port,
  })

/** Where an arrived connection comes from. @throws CborError */
export function readOrigin(payload: Buffer): Origin {
  let [address, port] = ['', 0]
  eachField(payload, (key, reader) => {
    if (key === 'originatoraddress') address = reader.text()
    else if (key === 'originatorport') port = Math.min(reader.uint(), 65_535)
    else reader.skip()
  })
  return { address: address.slice(0, 255), port }
}

export const windowOf = (bytes: number): Buffer => encode(bytes)
/** @throws CborError */
export function readWindow(payload: Buffer): number {
  complete(payload)
  return new CborReader(payload).uint()
}

function eachField(payload: Buffer, field: (key: string, reader: CborReader) => void): void {
  if (payload.length === 0) return
  complete(payload)
  const reader = new CborReader(payload)
  for (let pairs = reader.map(); pairs > 0; pairs -= 1) field(reader.text().toLowerCase(), reader)
}

/** Null bytes behind an incomplete item would be read as parts of it. */
function complete(payload: Buffer): void {
  if (extent(payload, 0, payload.length) < 0) throw new CborError('a payload that breaks off')
}
