/** From the command line to the work. Exit statuses: 0 well, 1 failed, 2 not understood. */
import { writeSync } from 'node:fs'
import { resolve } from 'node:path'
import { type Action, parseArguments, usage } from './arguments.ts'

export interface CommandLineOptions {
  /** Values of `backend` that the workers know. */
  readonly rooms?: readonly string[]
  /** The module that worker processes run, if it is not the usual one. */
  readonly workerEntry?: URL
}

/** Written before the call returns, so that nothing is lost when the process ends next. */
const print = (fd: 1 | 2, text: string): void => {
  let rest = Buffer.from(text)
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(fd, rest))
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      // The reader is slow; or it is gone, and then there is nobody to tell.
      if (code === 'EPIPE') return
      if (code !== 'EAGAIN') throw error
    }
  }
}

const checkConfig = async (path: string, rooms: CommandLineOptions): Promise<number> => {
  const { ConfigErrors, loadConfig } = await import('../shared/config/load.ts')
  try {
    const { warnings, deprecations } = await loadConfig(path, rooms)
    for (const line of [...warnings, ...deprecations.map(({ line }) => line)]) print(2, `warning: ${line}\n`)
    print(1, `${path}: the configuration is valid\n`)
    return 0
  } catch (error) {
    if (!(error instanceof ConfigErrors)) throw error
    print(2, `${error.lines.join('\n')}\n`)
    return 1
  }
}

const dumpConfig = async (path: string, showSecrets: boolean): Promise<number> => {
  const { ConfigErrors, loadConfig } = await import('../shared/config/load.ts')
  const { dumpConfig: dump } = await import('../shared/config/dump.ts')
  try {
    const { config } = await loadConfig(path, { onlyParse: true })
    print(1, dump(config, { showSecrets }))
    return 0
  } catch (error) {
    if (!(error instanceof ConfigErrors)) throw error
    const { bootstrapLog, logConfigErrors } = await import('./bootstrap.ts')
    logConfigErrors(bootstrapLog(2), error)
    return 1
  }
}

const migrateConfig = async (path: string): Promise<number> => {
  const { migrateConfig: migrate } = await import('./migrate-config.ts')
  const { ConfigErrors } = await import('../shared/config/problems.ts')
  try {
    const { text, warnings } = await migrate(path)
    for (const line of warnings) print(2, `warning: ${line}\n`)
    print(1, text)
    return 0
  } catch (error) {
    if (!(error instanceof ConfigErrors)) throw error
    print(2, `${error.lines.join('\n')}\n`)
    return 1
  }
}

const run = async (action: Action, options: CommandLineOptions): Promise<number> => {
  const rooms = options.rooms === undefined ? {} : { rooms: options.rooms }
  switch (action.kind) {
    case 'wrong':
      print(2, `${action.message}\n${usage}`)
      return 2
    case 'help':
      print(2, usage)
      return 0
    case 'version':
      print(1, `ContainerSSH ${(await import('./package.ts')).version()}\n`)
      return 0
    case 'licenses':
      print(1, await (await import('./package.ts')).licenses())
      return 0
    case 'check-config':
      return checkConfig(action.config, rooms)
    case 'migrate-config':
      return migrateConfig(resolve(action.config))
    case 'dump-config':
      return dumpConfig(action.config, action.showSecrets)
    case 'health-check':
      return (await import('./health-check.ts')).healthCheck(resolve(action.config))
    case 'hash-password':
      return (await import('./hash-password.ts')).hashPasswordCommand(process.stdin, process.stderr, (text) =>
        print(1, text),
      )
    case 'audit':
      return (await import('./audit-tools/index.ts')).auditCommand(action.action, process.stdout, (line) =>
        print(2, line),
      )
    case 'ctl-help':
      print(1, (await import('./ctl/arguments.ts')).ctlUsage)
      return 0
    case 'ctl':
      return (await import('./ctl/index.ts')).ctlCommand(
        action.action,
        (text) => print(1, text),
        (line) => print(2, line),
      )
    case 'quickstart':
      return (await import('./quickstart/index.ts')).quickstart(action, { ...options, print: (text) => print(1, text) })
    case 'webhook-server':
      return (await import('../webhook-server/main.ts')).runWebhookServer(action)
    case 'serve':
      return (await import('./serve.ts')).serve(resolve(action.config), options)
  }
}

/** Resolves to the exit status. */
export const commandLine = (argv: readonly string[], options: CommandLineOptions = {}): Promise<number> =>
  run(parseArguments(argv), options)
