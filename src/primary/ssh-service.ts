/** The service `SSH server`: listen socket, admission and workers put together. */
import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import type { Config } from '../shared/config/index.ts'
import { ownerLabel } from '../shared/identity.ts'
import { remoteOf, type TcpHandle } from '../shared/ipc/handle.ts'
import type { Log, LogRecord } from '../shared/log.ts'
import { createAdmission } from './admission.ts'
import { createFleet } from './fleet.ts'
import { createListener } from './listener.ts'
import { createRefusals } from './refusal.ts'
import type { Service } from './services.ts'

export interface SshServiceOptions {
  readonly config: Config
  /** PEM texts. */
  readonly hostKeys: readonly string[]
  readonly workerEntry: URL
  readonly log: Log
  write(record: LogRecord): void
}
export interface SshService extends Service {
  /** Ends the workers without grace. */
  kill(): void
}

export function sshService({ config, hostKeys, workerEntry, log, write }: SshServiceOptions): SshService {
  const sshLog = log.with({ module: 'ssh' })
  const admission = createAdmission(config.ssh)
  const refusals = createRefusals(sshLog)
  const instance = ownerLabel()
  const fleet = createFleet({
    count: config.workers === 0 ? availableParallelism() : config.workers,
    entry: workerEntry,
    log: log.with({ module: 'core' }),
    write,
    configure: (worker) => ({ kind: 'configure', config, hostKeys, instance, worker }),
    events: admission,
  })
  const accept = (handle: TcpHandle): void => {
    const remote = remoteOf(handle)
    if (remote === undefined) {
      handle.close() // it has already hung up
      return
    }
    const decision = admission.admit(remote.address)
    if (!decision.admitted) refusals.refuse(handle, remote, decision.reason)
    else if (!fleet.give(handle, decision.ticket, remote)) {
      admission.closed(decision.ticket)
      refusals.refuse(handle, remote, 'the server is busy')
    }
  }
  return {
    name: 'SSH server',
    kill: fleet.kill,
    async run(life) {
      const listener = createListener({ listen: config.ssh.listen, log: sshLog, accept })
      const address = await listener.open()
      const stopped = life.stop.aborted ? Promise.resolve() : once(life.stop, 'abort')
      try {
        await Promise.race([fleet.start(), stopped])
        if (!life.stop.aborted) {
          sshLog.emit('SSH_AVAILABLE', { listen: address })
          life.running()
        }
        await stopped
      } finally {
        await listener.close()
        refusals.close()
        await fleet.drain(config.shutdownTimeout)
      }
    },
  }
}
