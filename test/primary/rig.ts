/** A fleet of echo workers behind a real listener, in this process. */
import { connect, type Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { createAdmission } from '../../src/primary/admission.ts'
import type { Crew } from '../../src/primary/crews.ts'
import { createFleet, type Fleet } from '../../src/primary/fleet.ts'
import type { AdmissionSettings } from '../../src/primary/limits.ts'
import { createListener } from '../../src/primary/listener.ts'
import { defaults } from '../../src/shared/config/schema.ts'
import { ownerLabel } from '../../src/shared/identity.ts'
import { remoteOf } from '../../src/shared/ipc/handle.ts'
import { createLog, type LogRecord } from '../../src/shared/log.ts'
import { arrivalOf } from '../rigs/arrival.ts'

export const echoWorker = new URL('echo-worker.ts', import.meta.url)

export async function until<T>(what: string, probe: () => T): Promise<T> {
  const deadline = performance.now() + 20_000
  for (;;) {
    const value = probe()
    if (value) return value
    if (performance.now() > deadline) throw new Error(`waited in vain for ${what}`)
    await pause(10)
  }
}

export interface Client {
  readonly socket: Socket
  /** Everything received so far. */
  text(): string
  readonly closed: Promise<void>
  ask(line: string, answer: RegExp): Promise<string>
}

export function client(port: number, first?: string): Client {
  const socket = connect(port, '127.0.0.1')
  let received = ''
  socket.setEncoding('latin1').on('data', (text: string) => {
    received += text
  })
  socket.on('error', () => undefined)
  const closed = new Promise<void>((resolve) => socket.on('close', () => resolve()))
  if (first !== undefined) socket.write(first)
  const text = (): string => received
  return {
    socket,
    text,
    closed,
    async ask(line, answer) {
      received = ''
      socket.write(line)
      await until(`${answer} from a worker`, () => answer.test(received))
      return received
    },
  }
}

/** Nothing is limited, and nobody gets a penalty. */
const unlimited: AdmissionSettings = {
  ...defaults().ssh,
  maxConnections: 0,
  maxConnectionsPerSource: 0,
  maxStartups: 0,
  maxStartupsPerSource: 0,
  penalties: { ...defaults().ssh.penalties, enable: false },
}

export async function startFleet(
  count: number,
  options: { backend?: string; limits?: Partial<AdmissionSettings> } = {},
) {
  const records: LogRecord[] = []
  const write = (record: LogRecord): void => void records.push(record)
  const log = createLog({ level: 'debug', write })
  const admission = createAdmission({ ...unlimited, ...options.limits })
  const config = {
    ...defaults(),
    log: { ...defaults().log, level: 'debug' as const },
  }
  const crewOf = (backend = 'docker', retireMs = 0, size = count): Crew => ({
    account: undefined,
    withheld: [],
    count: size,
    configure: (worker) => ({
      kind: 'configure',
      config: { ...config, backend },
      hostKeys: [],
      instance: ownerLabel(),
      worker,
    }),
    retireMs,
    drainMs: 100,
  })
  const fleet: Fleet = createFleet({
    crew: crewOf(options.backend),
    entry: echoWorker,
    log,
    write,
    silenceMs: 60_000,
    events: {
      authenticated: admission.authenticated,
      closed: admission.closed,
      audit: () => undefined,
      control: () => undefined,
      identify(ticket, { address }) {
        const answer = admission.identify(ticket, address)
        if (typeof answer === 'object') return { line: `${answer.fault.userText}\r\n` }
        return answer && { country: 'XX' }
      },
    },
  })
  const listener = createListener({
    listen: '127.0.0.1:0',
    log,
    accept(handle) {
      const remote = remoteOf(handle)
      const decision = remote === undefined ? undefined : admission.admit(remote.address)
      if (remote === undefined || decision?.admitted !== true) handle.close()
      else if (!fleet.give(handle, decision.ticket, arrivalOf(remote), decision.proxied)) handle.close()
    },
  })
  const port = Number(/:(\d+)$/.exec(await listener.open())?.[1])
  return {
    fleet,
    crewOf,
    admission,
    records,
    port,
    codes: () => records.map((record) => record.code as string),
    async [Symbol.asyncDispose]() {
      await listener.close()
      await fleet.drain(100)
    },
  }
}
