/** What each option of an authorized key means: sshd(8), AUTHORIZED_KEYS FILE FORMAT. */
import { parseAddressPatterns } from './address-list.ts'
import type { KeyOptions, Place } from './key-options.ts'

const all = (on: boolean): Partial<KeyOptions> => ({
  pty: on,
  portForwarding: on,
  agentForwarding: on,
  x11Forwarding: on,
})

/** By lower-case name. Order matters: `restrict,pty` allows a terminal and nothing else. */
export const flagOptions: ReadonlyMap<string, Partial<KeyOptions>> = new Map<string, Partial<KeyOptions>>([
  ['restrict', all(false)],
  ['pty', { pty: true }],
  ['no-pty', { pty: false }],
  ['port-forwarding', { portForwarding: true }],
  ['no-port-forwarding', { portForwarding: false }],
  ['agent-forwarding', { agentForwarding: true }],
  ['no-agent-forwarding', { agentForwarding: false }],
  ['x11-forwarding', { x11Forwarding: true }],
  ['no-x11-forwarding', { x11Forwarding: false }],
  ['cert-authority', { certAuthority: true }],
  ['touch-required', { touchRequired: true }],
  ['no-touch-required', { touchRequired: false }],
  ['verify-required', { verifyRequired: true }],
  ['no-verify-required', { verifyRequired: false }],
  // There is no ~/.ssh/rc that would run.
  ['user-rc', {}],
  ['no-user-rc', {}],
])

type Read = (value: string, before: KeyOptions) => Partial<KeyOptions>

/** By lower-case name. Each throws an Error with what is wrong about the value. */
export const valueOptions: ReadonlyMap<string, Read> = new Map<string, Read>([
  ['command', (command, before) => ({ command: once(before.command, command) })],
  ['from', (list, before) => ({ from: once(before.from, parseAddressPatterns(list)) })],
  ['principals', (list, before) => ({ principals: once(before.principals, principals(list)) })],
  ['expiry-time', (time, before) => ({ expiresMs: Math.min(expiry(time), before.expiresMs ?? Infinity) })],
  ['environment', environment],
  ['permitopen', (value, before) => ({ permitOpen: [...(before.permitOpen ?? []), place(value)] })],
  ['permitlisten', (value, before) => ({ permitListen: [...(before.permitListen ?? []), listenPlace(value)] })],
  // There are no tun devices to choose from: whoever asks for one is refused in any case.
  ['tunnel', (device) => (/^(any|\d{1,9})$/i.test(device) ? {} : fail('expected "any" or a number'))],
])

function fail(reason: string): never {
  throw new Error(reason)
}

function once<T>(before: T | undefined, now: T): T {
  return before === undefined ? now : fail('it stands there twice')
}

function principals(list: string): readonly string[] {
  const names = list.split(',')
  return names.includes('') ? fail('it holds an empty name') : names
}

/** The first of a name counts, as in OpenSSH. */
function environment(value: string, before: KeyOptions): Partial<KeyOptions> {
  const [, name = '', text = ''] = /^([A-Za-z0-9_]+)=(.*)$/s.exec(value) ?? fail('expected NAME=value')
  return before.environment.has(name) ? {} : { environment: new Map([...before.environment, [name, text]]) }
}

/** YYYYMMDD[HHMM[SS]], local time or with Z in UTC. */
function expiry(text: string): number {
  const form = /^(\d{4})(\d\d)(\d\d)(?:(\d\d)(\d\d)(\d\d)?)?(Z|UTC)?$/i
  const match = form.exec(text) ?? fail(`${JSON.stringify(text)} is no time, expected YYYYMMDD[HHMM[SS]][Z]`)
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match
    .slice(1, 7)
    .map((part) => Number(part ?? 0))
  const fields = [year, month - 1, day, hour, minute, second] as const
  // Read back in UTC: the local form of a time that a change of clocks leaves out would differ for no fault of its own.
  const plain = new Date(Date.UTC(...fields))
  const exists =
    plain.getUTCMonth() === month - 1 && plain.getUTCDate() === day && hour < 24 && minute < 60 && second < 60
  if (!exists || year < 1970) fail(`${JSON.stringify(text)} is no time that exists`)
  return match[7] === undefined ? new Date(...fields).getTime() : plain.getTime()
}

function portOf(text: string): Pick<Place, 'port'> {
  if (text === '*') return {}
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0
  return port > 0 && port < 65_536 ? { port } : fail(`${JSON.stringify(text)} is no port, expected 1 to 65535 or *`)
}

/** `HOST:PORT`, an IPv6 address in brackets. */
function place(text: string): Place {
  const match = /^(?:\[([^[\]]+)\]|([^[\]:]+)):([^:]+)$/.exec(text) ?? fail(`${JSON.stringify(text)} is not HOST:PORT`)
  return { host: match[1] ?? match[2] ?? '', ...portOf(match[3] ?? '') }
}

/** A port alone is that port at any address. */
function listenPlace(text: string): Place {
  return /^(\d+|\*)$/.test(text) ? { host: '*', ...portOf(text) } : place(text)
}
