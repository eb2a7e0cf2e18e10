/** What a certificate itself forbids and allows: PROTOCOL.certkeys, critical options and extensions. */
import { type AddressList, parseNetworks } from '../../shared/address-list.ts'
import type { KeyOptions } from '../../shared/key-options.ts'
import { BlobReader } from '../ssh/blob.ts'
import { textOf } from '../ssh/bytes.ts'
import type { Certificate } from '../ssh/certificate.ts'

/** Throws an Error that says which option cannot be honoured. Extensions that nobody knows are ignored. */
export function certificateOptions({ criticalOptions, extensions }: Certificate): KeyOptions {
  const demands: Partial<KeyOptions>[] = []
  for (const [name, data] of criticalOptions) {
    const read = critical.get(name)
    if (read === undefined) throw new Error(`it has the unknown critical option ${name.slice(0, 64)}`)
    demands.push(read(data, name))
  }
  const has = (name: string): boolean => {
    const data = extensions.get(name)
    if (data !== undefined && data.length > 0) throw new Error(`its extension ${name} is malformed`)
    return data !== undefined
  }
  const allowed: KeyOptions = {
    certAuthority: false,
    pty: has('permit-pty'),
    portForwarding: has('permit-port-forwarding'),
    agentForwarding: has('permit-agent-forwarding'),
    x11Forwarding: has('permit-X11-forwarding'),
    touchRequired: !has('no-touch-required'),
    verifyRequired: false,
    environment: new Map(),
  }
  return Object.assign(allowed, ...demands)
}

type Read = (data: Uint8Array, name: string) => Partial<KeyOptions>
const critical: ReadonlyMap<string, Read> = new Map<string, Read>([
  ['force-command', (data, name) => ({ command: text(data, name) })],
  ['source-address', (data, name) => ({ from: networks(text(data, name)) })],
  [
    'verify-required',
    (data, name) => {
      if (data.length > 0) throw new Error(`its critical option ${name} is malformed`)
      return { verifyRequired: true }
    },
  ],
])

/** The data of an option with a value is a string inside of the string. */
function text(data: Uint8Array, name: string): string {
  const reader = new BlobReader(data)
  const value = textOf(Buffer.from(reader.string(name)))
  reader.end(name)
  if (value === undefined) throw new Error(`its critical option ${name} is no text`)
  return value
}

function networks(list: string): AddressList {
  try {
    return parseNetworks(list)
  } catch (cause) {
    throw new Error('its critical option source-address is malformed', { cause })
  }
}

/**
 * Both apply: what one forbids the other cannot allow. Throws an Error when each forces another command, since only one
 * could run.
 */
export function bothOptions(line: KeyOptions, certificate: KeyOptions): KeyOptions {
  const command = line.command ?? certificate.command
  if (command !== (certificate.command ?? command)) throw new Error('it forces another command than its CA may')
  const from = [line.from, certificate.from].filter((list) => list !== undefined)
  return {
    ...line,
    ...(command !== undefined && { command }),
    ...(from.length > 0 && { from: { includes: (address) => from.every((list) => list.includes(address)) } }),
    pty: line.pty && certificate.pty,
    portForwarding: line.portForwarding && certificate.portForwarding,
    agentForwarding: line.agentForwarding && certificate.agentForwarding,
    x11Forwarding: line.x11Forwarding && certificate.x11Forwarding,
    // PROTOCOL.certkeys: the CA must be marked too.
    touchRequired: line.touchRequired || certificate.touchRequired,
    verifyRequired: line.verifyRequired || certificate.verifyRequired,
  }
}
