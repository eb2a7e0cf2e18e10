/** `containerssh webhook-server`: the users of a file, until a signal ends it. */
import { asFault, Fault, fault } from '../shared/codes/fault.ts'
import { ConfigErrors } from '../shared/config/problems.ts'
import { type Output, openOutput, openStandardOutput } from '../shared/log/output.ts'
import { createLog, type Level, type Log } from '../shared/log.ts'
import type { TlsFiles } from '../shared/tls-server.ts'
import type { WebhookHandlers } from './handlers.ts'
import { serve, type WebhookServer } from './server.ts'
import { handlersOf } from './users/handlers.ts'
import { loadUsers } from './users/load.ts'
import type { UsersFile } from './users/schema.ts'

export interface WebhookServerCommand {
  /** The file. */
  readonly users: string
  readonly listen: string
  readonly tls: TlsFiles | undefined
}

const labels = { module: 'webhook' }

/** Resolves to the exit status: 0 after a stop, 1 if it could not start. */
export async function runWebhookServer(command: WebhookServerCommand): Promise<number> {
  let file: UsersFile
  let output: Output
  try {
    file = await loadUsers(command.users)
    output = await openOutput(file.log)
  } catch (error) {
    const flood = { records: 0, interval: 0 }
    const standard = openStandardOutput(1, { format: 'ljson', level: 'info', queueBytes: 64 * 1024, flood })
    complain(createLog({ level: 'info', labels, write: standard.write }), command.users, error)
    standard.close()
    return 1
  }
  const log = createLog({ level: file.log.level, labels, write: output.write })
  try {
    return await run(command, file, output, log)
  } finally {
    await output.drain()
    output.close()
  }
}

/** One record per wrong place. */
function complain(log: Log, file: string, error: unknown, level?: Level): void {
  if (!(error instanceof ConfigErrors)) log.fault(asFault(error), level)
  else for (const cause of error.lines) log.emit('CORE_CONFIG_ERROR', { file }, { cause, level })
}

async function run(command: WebhookServerCommand, file: UsersFile, output: Output, log: Log): Promise<number> {
  const { users, listen, tls } = command
  let current = handlersOf(file.users)
  const handlers: WebhookHandlers = {
    password: (request, context) => current.password(request, context),
    publicKey: (request, context) => current.publicKey(request, context),
    keyboardInteractive: (request, context) => current.keyboardInteractive(request, context),
    authorization: (request, context) => current.authorization(request, context),
    configuration: (request, context) => current.configuration(request, context),
  }
  let server: WebhookServer
  try {
    server = await serve(handlers, { service: 'Webhook server', listen, tls, limits: {}, log, anyPath: false })
  } catch (error) {
    log.fault(error instanceof Fault ? error : fault('CORE_CONFIG_ERROR', {}, { cause: error }), 'crit')
    return 1
  }
  log.emit('CORE_CONFIG_FILE', { file: users })
  if (tls?.clientCa === undefined && !/^(127\.|\[::1\]|localhost:)/.test(listen)) {
    const cause = `whoever reaches ${listen} can try passwords and read answers; expected a client CA`
    log.emit('CORE_CONFIG_WARNING', {}, { cause })
  }
  const reload = async (): Promise<void> => {
    await output.rotate()
    try {
      const loaded = await loadUsers(users)
      await server.renewTls()
      current = handlersOf(loaded.users)
      log.emit('CORE_CONFIG_FILE', { file: users })
    } catch (error) {
      const wrong = error instanceof ConfigErrors ? error : fault('CORE_CONFIG_ERROR', {}, { cause: error })
      complain(log, users, wrong, 'error')
    }
  }
  await untilStopped(reload, output)
  await server.close()
  return 0
}

/** SIGTERM and SIGINT stop, and a second one ends everything at once. SIGHUP reloads, one at a time. */
function untilStopped(reload: () => Promise<void>, output: Output): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  let asked = false
  const stop = (): void => {
    if (asked) {
      output.close()
      process.exit(1)
    }
    asked = true
    resolve()
  }
  let reloading = Promise.resolve()
  process.on('SIGHUP', () => {
    reloading = reloading.then(reload)
  })
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, stop)
  return promise
}
