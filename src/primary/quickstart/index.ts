/** `containerssh quickstart`: from nothing to a server that a person can log in to. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { parseListen } from '../../shared/config/listen.ts'
import { ConfigErrors, loadConfig } from '../../shared/config/load.ts'
import type { Config } from '../../shared/config/schema.ts'
import { socketOf } from './engine.ts'
import { QuickstartError } from './failure.ts'
import type { GuestImage } from './guest-image.ts'
import type { Setting } from './install.ts'
import { chooseListen, demoUser, stateFolder } from './state.ts'

export interface QuickstartFlags {
  readonly state?: string
  readonly listen?: string
  /** `docker` or `sandbox`; absent: the first unless no engine answers and the second is possible. */
  readonly backend?: string
}

export interface QuickstartOptions {
  /** Where the Docker engine listens; else that of DOCKER_HOST, or the usual place. */
  readonly socket?: string
  readonly print: (text: string) => void
  readonly rooms?: readonly string[]
  readonly workerEntry?: URL
}

/** The first start makes everything; nothing is left behind when it fails. */
const firstStart = async (configPath: string, flags: QuickstartFlags, setting: Setting): Promise<string> => {
  const [{ chooseSandbox }, { dockerRoom, writeConfig }] = await Promise.all([
    import('./sandbox.ts'),
    import('./state.ts'),
  ])
  const choice = await chooseSandbox(flags.backend, setting)
  const { password } = await writeConfig(
    configPath,
    await chooseListen(flags.listen),
    choice.room ?? dockerRoom(setting.socket, await guestOf({ ...setting, ...choice })),
  )
  return password
}

const guestOf = async (setting: Setting): Promise<GuestImage> => {
  const [{ ensureEngine }, { chooseGuestImage }] = await Promise.all([
    import('./install.ts'),
    import('./guest-image.ts'),
  ])
  await ensureEngine(setting)
  return chooseGuestImage(setting)
}

const laterStart = async ({ backend, docker }: Config, setting: Setting): Promise<void> => {
  if (backend !== 'docker') return
  // Another engine or image than ours is the business of whoever changed the file.
  if (docker.connection.host !== `unix://${setting.socket}`) return
  const [{ ensureEngine }, { ensureGuestImage }] = await Promise.all([
    import('./install.ts'),
    import('./guest-image.ts'),
  ])
  await ensureEngine(setting)
  const { Image: image } = docker.execution.container
  if (image !== undefined) await ensureGuestImage(image, setting)
}

const welcome = (config: Config, configPath: string, password: string | undefined): string => {
  const { host = '127.0.0.1', port = 22 } = parseListen(config.ssh.listen) ?? {}
  const lines = ['', `ContainerSSH listens on ${config.ssh.listen}; its configuration is ${configPath}.`]
  if (config.auth.users.some(({ name }) => name === demoUser)) {
    lines.push('', '  Log in with:  ', `    ssh -p ${port} ${demoUser}@${host}`)
    lines.push(`  Password:     ${password ?? '(shown at the first start; delete the configuration to get a new one)'}`)
  }
  return `${lines.join('\n')}\n\n`
}

/** Everything up to the start of the server. Resolves to the configuration's path. @throws QuickstartError, ConfigErrors */
export const prepare = async (
  flags: QuickstartFlags,
  options: QuickstartOptions,
  signal: AbortSignal,
): Promise<string> => {
  const state = await stateFolder(flags.state)
  const configPath = join(state, 'config.yaml')
  const setting: Setting = {
    state,
    signal,
    socket: options.socket ?? socketOf(process.env['DOCKER_HOST']),
    say: (text) => options.print(`${text}\n`),
  }
  const isFirst = !existsSync(configPath)
  const password = isFirst ? await firstStart(configPath, flags, setting) : undefined
  const rooms = options.rooms === undefined ? {} : { rooms: options.rooms }
  const { config } = await loadConfig(configPath, rooms)
  if (!isFirst) {
    if (flags.listen !== undefined && flags.listen !== config.ssh.listen) {
      throw new QuickstartError(
        `The configuration ${configPath} says ssh.listen: ${config.ssh.listen}; change it there.`,
      )
    }
    await laterStart(config, setting)
  }
  options.print(welcome(config, configPath, password))
  return configPath
}

/** Resolves to the exit status. */
export const quickstart = async (flags: QuickstartFlags, options: QuickstartOptions): Promise<number> => {
  const stop = new AbortController()
  const onSignal = (): void => stop.abort(new QuickstartError('Stopped.'))
  const signals = ['SIGINT', 'SIGTERM'] as const
  for (const name of signals) process.on(name, onSignal)
  let configPath: string
  try {
    configPath = await prepare(flags, options, stop.signal)
  } catch (error) {
    if (stop.signal.aborted) options.print('Stopped.\n')
    else if (error instanceof QuickstartError || error instanceof ConfigErrors) options.print(`${error.message}\n`)
    else throw error
    return stop.signal.aborted ? 130 : 1
  } finally {
    for (const name of signals) process.off(name, onSignal)
  }
  const { serve } = await import('../serve.ts')
  return serve(configPath, options)
}
