/**
 * Reverse forwarding (RFC 4254 section 7.1, OpenSSH PROTOCOL section 2.4): the places at which a client has its session
 * listen. `global.ts` calls one method after the other.
 */
import type { Duplex } from 'node:stream'
import { asFault, fault } from '../../shared/codes/fault.ts'
import { count } from '../../shared/metric.ts'
import { placeName } from '../place.ts'
import type { Arrive, Door, Listening, Origin, Refused, Session, Verdict } from '../ports.ts'
import type { ConnectionService } from './connection.ts'
import type { ForwardDoor } from './forward-messages.ts'
import { patiently } from './patience.ts'

const listenMs = 30_000
/** Connections of one door that may wait until the client knows that it is open. */
const mostEarly = 16

export interface Forward {
  readonly port: number
  /** The client knows: connections may be told of. */
  begin(): void
}

interface Opened {
  readonly listening: Listening
  readonly gate: Gate
}

export class Forwards {
  readonly #service: ConnectionService
  readonly #opened = new Map<string, Opened>()
  #ended = false

  constructor(service: ConnectionService) {
    this.#service = service
  }

  /** `told`: the client wants an answer. */
  async listen(session: Session, door: ForwardDoor, told: boolean): Promise<Verdict<Forward>> {
    const why = this.#objection(door, told)
    if (why !== undefined) return this.#refused(door, why)
    const gate = new Gate(this.#service)
    const verdict = await patiently<Listening>({
      limitMs: listenMs,
      signal: this.#service.link.signal,
      ask: (signal) => session.listen(door, gate.arrive, signal),
      discard: (late) => this.#service.link.guard(dispose(late)),
      tooLate: () => this.#refused(door, `it took longer than ${listenMs} ms`).fault,
    })
    if (!verdict.accepted) {
      gate.close()
      return verdict
    }
    const listening = verdict.value
    if (this.#ended) {
      gate.close()
      await listening[Symbol.asyncDispose]()
      return this.#refused(door, 'the client has gone')
    }
    const real: ForwardDoor = door.kind === 'tcp' ? { ...door, port: listening.port } : door
    this.#opened.set(keyOf(real), { listening, gate })
    return { accepted: true, value: { port: listening.port, begin: () => gate.open(real) } }
  }

  /** Connections that were made already live on. */
  async cancel(door: ForwardDoor): Promise<Verdict<undefined>> {
    const key = keyOf(door)
    const opened = this.#opened.get(key)
    if (opened === undefined) return this.#refused(door, 'nobody listens there')
    this.#opened.delete(key)
    opened.gate.close()
    await opened.listening[Symbol.asyncDispose]()
    return { accepted: true, value: undefined }
  }

  async end(): Promise<void> {
    this.#ended = true
    const all = [...this.#opened.values()]
    this.#opened.clear()
    for (const { gate } of all) gate.close()
    const ends = await Promise.allSettled(all.map(({ listening }) => dispose(listening)))
    for (const end of ends) if (end.status === 'rejected') this.#service.link.log.fault(asFault(end.reason), 'error')
  }

  #objection(door: ForwardDoor, told: boolean): string | undefined {
    if (this.#opened.has(keyOf(door))) return 'it is listened at already'
    if (door.kind === 'tcp' && door.port === 0 && !told) return 'nobody would learn the port'
    const { forwards } = this.#service.link.limits
    if (this.#opened.size < forwards) return undefined
    count('containerssh_ssh_limits_total', { limit: 'forwards' })
    return `the limit is ${forwards} (limits.forwards)`
  }

  #refused(door: ForwardDoor, reason: string): Refused {
    const why = fault('SSH_FORWARD_LISTEN_FAILED', { door: placeName(door), reason })
    this.#service.link.log.fault(why)
    return { accepted: false, fault: why }
  }
}

const keyOf = (door: ForwardDoor): string => `${door.kind} ${placeName(door)}`
const dispose = async (listening: Listening): Promise<void> => listening[Symbol.asyncDispose]()

interface Arrived {
  readonly stream: Duplex
  readonly origin: Origin
}

/** Holds connections back that arrive before the client has been told that there may be some, and at which port. */
class Gate {
  readonly #service: ConnectionService
  #door: Door | undefined
  #early: Arrived[] | undefined = []

  constructor(service: ConnectionService) {
    this.#service = service
  }

  readonly arrive: Arrive = (_door, stream, origin) => {
    if (this.#door !== undefined) {
      this.#service.arrive(this.#door, stream, origin)
      return
    }
    // Without a listener an error would end the process.
    stream.on('error', () => undefined)
    if (this.#early === undefined || this.#early.length >= mostEarly) stream.destroy()
    else this.#early.push({ stream, origin })
  }

  open(door: Door): void {
    const early = this.#early
    if (early === undefined) return
    this.#early = undefined
    this.#door = door
    for (const { stream, origin } of early) this.#service.arrive(door, stream, origin)
  }

  close(): void {
    this.#door = undefined
    for (const { stream } of this.#early ?? []) stream.destroy()
    this.#early = undefined
  }
}
