/**
 * How long a session may last, idle and at all: a warning to whoever sits at a terminal, then a signal for the programs,
 * then, after a time of grace, the end. Only for connections that have such a limit. Its clock counts ticks, so that a
 * machine that was suspended does not end everybody when it wakes up; an end comes up to one tick late, never early.
 */
import type { Config } from '../../shared/config/index.ts'
import { count } from '../../shared/metric.ts'
import type { SessionLimits } from '../ports.ts'
import type { ConnectionService } from './connection.ts'
import { spoken } from './ending.ts'
import type { Link } from './link.ts'
import { disconnect } from './numbers.ts'

type Limits = { readonly [K in keyof SessionLimits]-?: NonNullable<SessionLimits[K]> }

const ticksPerLimit = 30
const leastTickMs = 50
const mostTickMs = 15_000

/** Undefined: the session may last for ever. `own`: the session's, where they differ from the configuration's. */
export function lifetimeOf(
  link: Link,
  service: ConnectionService,
  own: SessionLimits | undefined,
): Lifetime | undefined {
  const limits = own === undefined ? link.limits : merged(link.limits, own)
  if (limits.idleTimeout <= 0 && limits.sessionTimeout <= 0) return undefined
  return new Lifetime(link, service, limits)
}

const merged = (general: Config['limits'], own: SessionLimits): Limits => ({
  idleTimeout: own.idleTimeout ?? general.idleTimeout,
  sessionTimeout: own.sessionTimeout ?? general.sessionTimeout,
  warningBefore: own.warningBefore ?? general.warningBefore,
  warningText: own.warningText ?? general.warningText,
  signal: own.signal ?? general.signal,
  grace: own.grace ?? general.grace,
})

export class Lifetime {
  readonly #link: Link
  readonly #service: ConnectionService
  readonly #limits: Limits
  readonly #tickMs: number
  /** The ticks, at the end the time of grace. */
  #timer: NodeJS.Timeout
  /** What `service.activity` was at the last tick. */
  #activity: number
  #idleMs = 0
  #ageMs = 0
  #warned: { idle: boolean; session: boolean } = { idle: false, session: false }

  constructor(link: Link, service: ConnectionService, limits: Limits) {
    this.#link = link
    this.#service = service
    this.#limits = limits
    this.#activity = service.activity
    const shortest = Math.min(...[limits.idleTimeout, limits.sessionTimeout].filter((ms) => ms > 0))
    this.#tickMs = Math.min(Math.max(Math.ceil(shortest / ticksPerLimit), leastTickMs), mostTickMs)
    this.#timer = setInterval(tick, this.#tickMs, this).unref()
  }

  tick(): void {
    if (this.#link.over || this.#service.ending !== undefined) return
    this.#ageMs += this.#tickMs
    this.#measureIdleness()
    const { idleTimeout, sessionTimeout } = this.#limits
    if (sessionTimeout > 0 && this.#ageMs >= sessionTimeout) this.#end('session')
    else if (idleTimeout > 0 && this.#idleMs >= idleTimeout) this.#end('idle')
    else {
      this.#warn('session', sessionTimeout, this.#ageMs)
      this.#warn('idle', idleTimeout, this.#idleMs)
    }
  }

  stop(): void {
    clearTimeout(this.#timer)
  }

  #measureIdleness(): void {
    const { activity } = this.#service
    if (activity === this.#activity) {
      this.#idleMs += this.#tickMs
      return
    }
    this.#activity = activity
    this.#idleMs = 0
    if (!this.#warned.idle) return
    this.#warned.idle = false
    this.#service.tell('You are back: your session goes on.')
  }

  #warn(kind: 'idle' | 'session', limitMs: number, spentMs: number): void {
    const beforeMs = Math.min(this.#limits.warningBefore, limitMs / 2)
    if (limitMs <= 0 || beforeMs <= 0 || this.#warned[kind] || spentMs < limitMs - beforeMs) return
    this.#warned[kind] = true
    const reason = kind === 'idle' ? `it has been idle for ${spoken(limitMs - beforeMs)}` : sessionReason(limitMs)
    const text = this.#limits.warningText.replaceAll('{time}', spoken(beforeMs)).replaceAll('{reason}', reason)
    if (text !== '') this.#service.tell(text)
  }

  #end(kind: 'idle' | 'session'): void {
    const { idleTimeout, sessionTimeout, signal, grace } = this.#limits
    clearInterval(this.#timer)
    this.#timer = setTimeout(cut, grace, this).unref()
    let text: string
    if (kind === 'idle') {
      text = `the session was idle for ${spoken(idleTimeout)}`
      this.#link.log.emit('SSH_IDLE_TIMEOUT', { limitMs: idleTimeout })
      count('containerssh_ssh_limits_total', { limit: 'idle_timeout' })
    } else {
      text = sessionReason(sessionTimeout)
      this.#link.log.emit('SSH_SESSION_TIMEOUT', { limitMs: sessionTimeout })
      count('containerssh_ssh_limits_total', { limit: 'session_timeout' })
    }
    this.#service.stop({ signal, text, notice: '' })
  }

  cut(): void {
    this.#link.disconnect(disconnect.byApplication, this.#service.ending?.text ?? '')
  }
}

const sessionReason = (limitMs: number): string => `sessions last ${spoken(limitMs)} at most`
const tick = (lifetime: Lifetime): void => lifetime.tick()
const cut = (lifetime: Lifetime): void => lifetime.cut()
