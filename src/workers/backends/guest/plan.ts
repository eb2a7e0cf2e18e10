/**
 * What our side does in the containers of an image: from the configuration and from what is in the image. `auto` takes
 * the first of the steps agent of the image, injected helper, shell, nothing.
 */
import { SHELL } from './command.ts'

export type GuestMode = 'image' | 'inject' | 'shell' | 'none'

/** What was found in an image, at the paths of the configuration. */
export interface Inside {
  readonly agent: boolean
  readonly shell: boolean
  readonly sftp: boolean
  readonly scp: boolean
}

export interface Plan {
  readonly mode: GuestMode
  /** The words before a subcommand of the guest agent, in the image or injected; undefined: there is none. */
  readonly agent: readonly string[] | undefined
  /** Whether the image has /bin/sh. */
  readonly hasShell: boolean
  /** Volume of the helper, to be mounted. */
  readonly volume: string | undefined
  /** Keeps the container of a connection alive; undefined: nothing in it can. */
  readonly idle: readonly string[] | undefined
  /** The command of the subsystem `sftp`; undefined: there is none that does as configured. */
  readonly sftp: readonly string[] | undefined
  /**
   * What serves clients of scp's old protocol, up to the options that they send. `own`: the image's scp, like any command;
   * `none`: nobody does as configured.
   */
  readonly scp: readonly string[] | 'own' | 'none'
}

/** Where the helper's volume is mounted. */
export const HELPER_FOLDER = '/.containerssh'
export const HELPER = `${HELPER_FOLDER}/agent`
/** OpenSSH's name for the server that is part of the daemon (sshd_config(5), Subsystem). */
export const INTERNAL_SFTP = 'internal-sftp'
/** Where images have it that have it. */
export const SCP = '/usr/bin/scp'

/** Stands in for the guest agent as the container's main process. TERM ends it in about 0.1 s. */
const SHELL_IDLE = [SHELL, '-c', "trap 'exit 0' INT TERM; while :; do sleep 3600 & wait $!; done"]
const HELPER_IDLE = [HELPER, 'wait-signal', '--signal', 'INT', '--signal', 'TERM']

/** What a configuration says about it: a part of `docker.execution` and of `kubernetes.pod`. */
export interface GuestSettings {
  readonly agentMode: 'auto' | GuestMode
  readonly agentPath: string
  readonly disableAgent: boolean
  readonly idleCommand: readonly string[]
  readonly subsystems: Readonly<Record<string, string>>
  readonly sftp: { readonly root: string; readonly readOnly: boolean }
}

/** `volume`: of the helper for the image's architecture, if there is one. */
export function planOf(settings: GuestSettings, inside: Inside, volume: string | undefined): Plan {
  const mode = modeOf(settings, inside, volume)
  const usable = mode === 'none' ? undefined : volume
  const sftp = sftpOf(settings, inside, usable)
  const scp = scpOf(settings, inside, usable, sftp)
  return {
    mode,
    agent: mode === 'image' ? [settings.agentPath] : mode === 'inject' ? [HELPER] : undefined,
    hasShell: inside.shell,
    volume: mode === 'inject' || sftp?.[0] === HELPER || scp[0] === HELPER ? volume : undefined,
    idle: idleOf(settings, inside, mode),
    sftp,
    scp,
  }
}

function modeOf({ agentMode, disableAgent }: GuestSettings, inside: Inside, volume: string | undefined): GuestMode {
  const withoutAgent = inside.shell ? 'shell' : 'none'
  if (agentMode === 'shell') return withoutAgent
  if (agentMode !== 'auto') return agentMode
  if (!disableAgent && inside.agent) return 'image'
  return volume === undefined ? withoutAgent : 'inject'
}

/** Without the guest agent its command, which is the default, would only make the start fail. */
function idleOf({ idleCommand, agentPath }: GuestSettings, inside: Inside, mode: GuestMode): Plan['idle'] {
  if (mode === 'image' || idleCommand[0] !== agentPath) return idleCommand
  if (mode === 'inject') return HELPER_IDLE
  return inside.shell ? SHELL_IDLE : undefined
}

/** Bounds are kept by the helper alone: another server would let the client do everything. */
function sftpOf(settings: GuestSettings, inside: Inside, volume: string | undefined): Plan['sftp'] {
  const path = sftpPath(settings)
  if (path === undefined) return undefined
  const bounds = boundsOf(settings)
  if (bounds.length === 0 && path !== INTERNAL_SFTP && (inside.sftp || volume === undefined)) return [path]
  return volume === undefined ? undefined : [HELPER, 'sftp-server', ...bounds]
}

/**
 * A way to copy files beside SFTP, so there is none where there is no SFTP. Who wants a shell to help gets the helper for
 * it only where that is needed anyway.
 */
function scpOf(settings: GuestSettings, inside: Inside, volume: string | undefined, sftp: Plan['sftp']): Plan['scp'] {
  const bounds = boundsOf(settings)
  const isPossible = volume !== undefined && sftpPath(settings) !== undefined
  const isWanted = !inside.scp && (settings.agentMode !== 'shell' || sftp?.[0] === HELPER)
  if (bounds.length === 0 && !(isWanted && isPossible)) return 'own'
  return isPossible ? [HELPER, 'scp', ...bounds, '--'] : 'none'
}

const sftpPath = ({ subsystems }: GuestSettings): string | undefined =>
  Object.hasOwn(subsystems, 'sftp') ? subsystems['sftp'] : undefined

const boundsOf = ({ sftp: { root, readOnly } }: GuestSettings): readonly string[] => [
  ...(root === '' ? [] : ['--root', root]),
  ...(readOnly ? ['--read-only'] : []),
]

/** What does not work in a mode, as words for the log. */
export function missingIn({ mode, hasShell, sftp }: Plan): string {
  if (mode === 'image' || mode === 'inject') return ''
  const missing = ['reverse, unix socket, agent and X11 forwarding']
  if (mode === 'none') missing.unshift('signals', 'process IDs', 'ending programs before the connection')
  if (!hasShell) missing.push('commands that need a shell', 'files in file systems in memory')
  if (sftp === undefined) missing.push('SFTP as configured')
  return missing.join(', ')
}
