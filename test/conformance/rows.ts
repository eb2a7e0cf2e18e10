/**
 * The rooms in which every behaviour is tried: engine, mode, image, and who helps with programs. Another backend is one
 * more list of rows.
 */
import type { Behaviour } from './behaviours/behaviour.ts'
import type { Mode, RoomOptions } from './rig.ts'

/**
 * Of a room: delivers signals; ends the program of a channel that is closed; sets the size of a terminal before the
 * program starts; tells a program that is not there from one that fails; has somebody who speaks sftp; has
 * somebody who listens in it; tells the end of a program while its streams are still in use; gives programs variables;
 * has a container of its own, which goes with the connection.
 */
export type Ability =
  | 'signals'
  | 'ending'
  | 'firstSize'
  | 'notFound'
  | 'sftp'
  | 'forwarding'
  | 'ownEnd'
  | 'environment'
  | 'removal'

export interface Row {
  readonly engine: 'docker' | 'podman' | 'kubernetes' | 'sandbox'
  readonly mode: Mode | 'persistent'
  readonly image: NonNullable<RoomOptions['image']>
  readonly guest: 'shell' | 'none' | 'image' | 'inject'
  /** Whether streams could go past the engine. */
  readonly direct: boolean
  readonly can: ReadonlySet<Ability>
}

const busybox = 'containerssh-test/busybox:1'
const agent = 'containerssh-test/agent:1'
const debian = 'containerssh-test/debian:1'
const noShell = 'containerssh-test/noshell:1'
/** What a sandbox has of this machine is that of any Debian. */
const machine = debian

function row(engine: Row['engine'], mode: Row['mode'], image: Row['image'], guest: Row['guest'], direct = true): Row {
  const helped = guest !== 'none'
  const abilities: readonly (readonly [Ability, boolean])[] = [
    // The engine itself signals and stops the main process of a container.
    ['signals', helped || mode === 'session'],
    ['ending', helped || mode === 'session'],
    ['firstSize', image !== noShell],
    // catatonit, which Podman takes, ends with 1 in either case.
    ['notFound', engine !== 'podman' || mode === 'connection'],
    // The kubelet ends an exec with its streams: kubectl waits no less, but nobody says the last word to it.
    ['ownEnd', engine !== 'kubernetes' || mode === 'session' || helped],
    ['sftp', image !== noShell || guest === 'inject'],
    ['forwarding', guest === 'image' || guest === 'inject'],
    // Its API has no variables for a program in a pod that runs.
    ['environment', engine !== 'kubernetes' || mode === 'session' || helped],
    ['removal', mode !== 'persistent'],
  ]
  return { engine, mode, image, guest, direct, can: new Set(abilities.flatMap(([name, has]) => (has ? [name] : []))) }
}

export const rows: readonly Row[] = [
  row('docker', 'connection', busybox, 'shell'),
  row('docker', 'connection', busybox, 'shell', false),
  row('docker', 'connection', busybox, 'inject'),
  row('docker', 'connection', debian, 'image'),
  row('docker', 'connection', debian, 'shell'),
  row('docker', 'connection', noShell, 'none'),
  row('docker', 'connection', noShell, 'inject'),
  row('docker', 'connection', noShell, 'inject', false),
  row('docker', 'session', busybox, 'shell'),
  row('docker', 'session', debian, 'image'),
  row('docker', 'session', noShell, 'none'),
  row('docker', 'session', noShell, 'inject'),
  row('podman', 'connection', busybox, 'shell'),
  row('podman', 'connection', debian, 'image'),
  row('podman', 'connection', noShell, 'none'),
  row('podman', 'connection', noShell, 'inject'),
  row('podman', 'session', busybox, 'shell'),
  row('podman', 'session', noShell, 'none'),
  row('kubernetes', 'connection', busybox, 'shell'),
  row('kubernetes', 'connection', busybox, 'inject'),
  row('kubernetes', 'connection', agent, 'image'),
  row('kubernetes', 'connection', noShell, 'none'),
  row('kubernetes', 'connection', noShell, 'inject'),
  row('kubernetes', 'session', busybox, 'shell'),
  row('kubernetes', 'session', noShell, 'inject'),
  row('kubernetes', 'persistent', busybox, 'shell'),
  row('kubernetes', 'persistent', noShell, 'inject'),
  row('sandbox', 'connection', machine, 'inject'),
  row('sandbox', 'session', machine, 'inject'),
]

export const nameOf = ({ mode, image, guest, direct }: Row): string =>
  `${mode} mode, ${/\/(\w+):/.exec(image)?.[1]}, guest: ${guest}${direct ? '' : ', streams by the engine'}`

/** Of the sections `docker.execution` and `kubernetes.pod`. */
export function executionOf({ engine, image, guest, direct }: Row): Readonly<Record<string, unknown>> {
  const shell = image === noShell ? ['/busybox', 'sh'] : image === debian ? ['/bin/bash'] : ['/bin/sh']
  return {
    agentMode: guest,
    shellCommand: shell,
    ...(engine === 'docker' ? { directStreams: direct } : {}),
    ...(guest === 'none' ? { idleCommand: ['/busybox', 'sleep', '3600'] } : {}),
  }
}

/** An image without /bin/sh has one elsewhere that nobody looks for. */
export const commandOf = ({ image }: Row, script: string): string =>
  image === noShell ? `/busybox sh -c '${script.replaceAll("'", `'\\''`)}'` : script

export const isAble = ({ can }: Row, { needs }: Behaviour): boolean => needs === undefined || can.has(needs)
