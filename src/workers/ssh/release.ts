/** What a connection has when it is over goes in reverse order of making: channels, session, connection. */
import { asFault } from '../../shared/codes/fault.ts'
import type { Log } from '../../shared/log.ts'
import type { Connection, Session, Verdict } from '../ports.ts'
import type { ConnectionService } from './connection.ts'

interface Over {
  readonly log: Log
  readonly port: Connection
  /** From the authentication on. */
  readonly service: ConnectionService | undefined
}

/** `session`: of whoever has logged in, or wanted to. What fails is logged, and the rest goes all the same. */
export async function release(
  { log, port, service }: Over,
  session: Promise<Verdict<Session>> | undefined,
): Promise<void> {
  try {
    await service?.end()
    const verdict = await session
    if (verdict?.accepted === true) await verdict.value[Symbol.asyncDispose]()
  } catch (error) {
    log.fault(asFault(error), 'error')
  }
  try {
    await port[Symbol.asyncDispose]()
  } catch (error) {
    log.fault(asFault(error), 'error')
  }
}
