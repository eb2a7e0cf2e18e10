/** The service `SSH server`: listen socket, admission and workers put together. */
import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import { fault } from '../shared/codes/fault.ts'
import type { Config } from '../shared/config/index.ts'
import { ownerLabel } from '../shared/identity.ts'
import { monotonicMs, type Remote, remoteOf, type TcpHandle } from '../shared/ipc/handle.ts'
import type { Log, LogRecord } from '../shared/log.ts'
import { count } from '../shared/metric.ts'
import { type Admission, type AdmissionOptions, createAdmission } from './admission.ts'
import type { Audit } from './audit/index.ts'
import { createSwitchboard, type Switchboard } from './control/switchboard.ts'
import type { Country } from './country.ts'
import type { Crew } from './crews.ts'
import { createFleet, type Fleet, type FleetEvents, GRACE_MS } from './fleet.ts'
import { offenceTexts, type Refusal } from './limits.ts'
import { createListener } from './listener.ts'
import { createRefusals, type Refusals } from './refusal.ts'
import type { Service } from './services.ts'
import { openStreamsFolder } from './streams-folder.ts'
import type { Supervised } from './supervision.ts'
import { createVisitors, type Visitors } from './visitors.ts'
import { withheldVariables, workerConfig } from './worker-share.ts'
import type { Account } from './worker-user.ts'

export interface SshServiceOptions extends SshSettings {
  /** As whom workers run; undefined: as we do. @throws ConfigErrors when that cannot be had */
  workerUser(config: Config): Account | undefined
  readonly workerEntry: URL
  readonly log: Log
  write(record: LogRecord): void
  /** Undefined: there is no audit log. */
  readonly audit: Audit | undefined
  readonly country: Pick<Country, 'of'>
  /** A socket that listens already. */
  readonly inherited?: number | undefined
  /** A worker that has given no sign of life for longer is killed. */
  readonly silenceMs?: number
}
/** What can change while connections are served. */
export interface SshSettings {
  readonly config: Config
  /** PEM texts. */
  readonly hostKeys: readonly string[]
}
export interface SshService extends Service, Supervised {
  /** From now on these hold for new connections. @throws Fault WORKER_START_FAILED; then everything is as before */
  configure(settings: SshSettings): Promise<void>
  handOver(): void
  /** Ends the workers without grace. */
  kill(): void
  /** While true, whoever connects is turned away; those who are there go on. */
  isDraining: boolean
  /** For operators. */
  readonly switchboard: Switchboard
  readonly admission: Pick<Admission, 'startups' | 'sources' | 'penalised'>
  readonly visitors: Pick<Visitors, 'byCountry'>
  readonly fleet: Pick<Fleet, 'workers' | 'missing' | 'isServing'>
}

const SILENCE_MS = 60_000
/** Beyond `shutdownTimeout` and what the fleet takes after it, to close sockets. */
const STOP_GRACE_MS = 4000

export function sshService(options: SshServiceOptions): SshService {
  const { workerEntry, log, write, audit, country, inherited, silenceMs = SILENCE_MS } = options
  let { config } = options
  const sshLog = log.with({ module: 'ssh' })
  const admission = createAdmission(config.ssh, { sentenced: tellSentence(sshLog) })
  const refusals = createRefusals(sshLog)
  const visitors = createVisitors()
  const switchboard = createSwitchboard(() => fleet)
  const fleet: Fleet = createFleet({
    crew: crewOf(options, options.workerUser),
    entry: workerEntry,
    log: log.with({ module: 'core' }),
    write,
    events: eventsOf({ admission, refusals, visitors, country, audit, switchboard }),
    silenceMs,
  })
  const door: Door = { admission, refusals, fleet, visitors, country, audit, switchboard, isDraining: false }
  const accept = (handle: TcpHandle): void => receive(handle, door)
  const listener = createListener({ listen: config.ssh.listen, log: sshLog, accept, inherited })
  const handed = Promise.withResolvers<void>()
  return {
    name: 'SSH server',
    kill: fleet.kill,
    handOver: handed.resolve,
    get descriptor() {
      return listener.descriptor
    },
    admission,
    visitors,
    fleet,
    switchboard,
    get isDraining() {
      return door.isDraining
    },
    set isDraining(on) {
      door.isDraining = on
    },
    get connections() {
      return admission.connections
    },
    get serving() {
      return fleet.workers.filter(({ phase, stage }) => phase === 'serving' && stage === 'current').length
    },
    get isLively() {
      return fleet.isLively
    },
    get stopMs() {
      return config.shutdownTimeout + GRACE_MS + STOP_GRACE_MS
    },
    async configure(next) {
      await fleet.replace(crewOf(next, options.workerUser))
      admission.configure(next.config.ssh)
      config = next.config
    },
    async run(life) {
      const address = await listener.open()
      const stopped = life.stop.aborted ? Promise.resolve() : once(life.stop, 'abort')
      let closing: Promise<void> | undefined
      try {
        await Promise.race([fleet.start(), stopped])
        if (!life.stop.aborted) {
          sshLog.emit('SSH_AVAILABLE', { listen: address })
          life.running()
        }
        await Promise.race([stopped, handed.promise])
        closing = listener.close()
        await closing
        if (!life.stop.aborted) await Promise.race([stopped, fleet.retire()])
      } finally {
        await (closing ?? listener.close())
        refusals.close()
        await fleet.drain(config.shutdownTimeout)
      }
    },
  }
}

const crewOf = ({ config, hostKeys }: SshSettings, workerUser: SshServiceOptions['workerUser']): Crew => {
  const share = workerConfig(config)
  const instance = config.instance === '' ? ownerLabel() : config.instance
  const account = workerUser(config)
  if (account !== undefined && config.backend === 'docker') openStreamsFolder()
  return {
    count: config.workers === 0 ? availableParallelism() : config.workers,
    account,
    withheld: withheldVariables(config, Object.keys(process.env)),
    configure: (worker) => ({ kind: 'configure', config: share, hostKeys, instance, worker }),
    retireMs: config.retireTimeout,
    drainMs: config.shutdownTimeout,
  }
}

interface Desk {
  readonly admission: Admission
  readonly refusals: Refusals
  readonly visitors: Visitors
  readonly country: Pick<Country, 'of'>
  readonly audit: Audit | undefined
  readonly switchboard: Switchboard
}
interface Door extends Desk {
  readonly fleet: Fleet
  isDraining: boolean
}

function receive(handle: TcpHandle, door: Door): void {
  const { admission, refusals, fleet, visitors, country, audit } = door
  const acceptedMs = monotonicMs()
  const remote = remoteOf(handle)
  if (remote === undefined) {
    handle.close() // it has already hung up
    return
  }
  if (door.isDraining) {
    refusals.refuse(handle, drained(remote))
    return
  }
  const unrecorded = audit?.refusal(remote.address)
  if (unrecorded !== undefined) {
    refusals.refuse(handle, unrecorded)
    return
  }
  const decision = admission.admit(remote.address)
  if (!decision.admitted) {
    refusals.refuse(handle, decision.refusal)
    return
  }
  const { ticket, proxied } = decision
  const arrival = { ...remote, country: country.of(remote.address), acceptedMs }
  if (fleet.give(handle, ticket, arrival, proxied)) {
    visitors.came(ticket, arrival.country, proxied)
    return
  }
  admission.closed(ticket, 'server')
  refusals.refuse(handle, busy(remote))
}

const busy = ({ address: remoteAddr }: Remote): Refusal => ({
  reason: 'busy',
  fault: fault('SSH_CONNECTION_REFUSED', { remoteAddr, reason: 'the server is busy' }),
})

/** No limit of the client's, so nothing that it could get a penalty for. */
const drained = ({ address: remoteAddr }: Remote): Refusal => {
  const reason = 'this server takes no new connections at the moment'
  return { reason: 'drain', fault: fault('SSH_CONNECTION_REFUSED', { remoteAddr, reason }) }
}

const eventsOf = ({ admission, refusals, visitors, country, audit, switchboard }: Desk): FleetEvents => ({
  authenticated: admission.authenticated,
  closed(ticket, outcome) {
    admission.closed(ticket, outcome)
    visitors.left(ticket)
    audit?.over(ticket)
    switchboard.closed(ticket)
  },
  identify(ticket, { address }) {
    const answer = admission.identify(ticket, address)
    if (answer === undefined) return undefined
    if (answer !== 'admitted') return { line: refusals.note(answer) }
    const from = country.of(address)
    visitors.identified(ticket, from)
    return { country: from }
  },
  control: switchboard.report,
  // A worker that was not told to record has no business with it.
  audit: (report, sender, remote) =>
    audit === undefined
      ? sender.offend('an audit record, and there is no audit log')
      : audit.report(report, sender, remote),
})

const tellSentence =
  (log: Log): NonNullable<AdmissionOptions['sentenced']> =>
  ({ source, durationMs }, offence) => {
    const seconds = Math.ceil(durationMs / 1000)
    log.emit('SSH_PENALTY_BEGINS', { source, reason: offenceTexts[offence], seconds })
    count('containerssh_ssh_penalties_total', { reason: offence })
  }
