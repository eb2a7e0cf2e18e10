/** What makes the namespaces of sandboxes: bubblewrap, or `unshare` of util-linux, whose sandboxes our first process furnishes. */
import { access, constants } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { HELPER } from '../guest/plan.ts'
import type { Group } from './cgroup/group.ts'
import type { Ground } from './ground.ts'
import type { SandboxSettings, Supplies } from './room.ts'

export interface Tool {
  readonly name: 'bwrap' | 'unshare'
  /** Of the program. */
  readonly path: string
  /**
   * The first process begins with capabilities in its own namespaces, does there what the tool cannot do, and gives them
   * up before it takes orders. Otherwise it never has any.
   */
  readonly isFinishedInside: boolean
}

export interface Candidate {
  readonly name: Tool['name']
  readonly program: string
  readonly isFinishedInside: boolean
}

/** In the order in which they are tried. */
export function candidates({ tool, bwrap, unshare, limits }: SandboxSettings): readonly Candidate[] {
  const wrapped = { name: 'bwrap', program: bwrap } as const
  const all: readonly Candidate[] = [
    // Bubblewrap has no bound for the number of files.
    ...(limits.inodes === 0 ? [] : [{ ...wrapped, isFinishedInside: true }]),
    // Where a security module lets bubblewrap have capabilities, but nobody whom it starts.
    { ...wrapped, isFinishedInside: false },
    { name: 'unshare', program: unshare, isFinishedInside: true },
  ]
  return all.filter(({ name }) => tool === 'auto' || tool === name)
}

export interface Launch {
  readonly program: string
  readonly words: readonly string[]
}

/** Joins the group before anything of the sandbox is there, so that all of it begins in it, and becomes the user then. */
export function launchIn({ program, words }: Launch, agent: string, group: Group, uid: number | undefined): Launch {
  const groups = group.entrances.flatMap((path) => ['--group', path])
  const user = uid === undefined ? [] : ['--user', String(uid)]
  return { program: agent, words: ['enter', ...groups, ...user, '--', program, ...words] }
}

interface Wanted {
  readonly tool: Tool
  readonly settings: SandboxSettings
  readonly supplies: Supplies
  readonly ground: Ground
}

/** Descriptor of the seccomp filter. */
const FILTER = '5'

/** `limits`: words of `sandbox-init`. */
export function launchOf({ tool, settings, supplies, ground }: Wanted, id: string, limits: readonly string[]): Launch {
  const { user, network } = settings
  const hostname = settings.hostname === '' ? id : settings.hostname
  const ownNetwork = network !== 'host'
  const init = ['sandbox-init', ...limits]
  if (tool.name === 'unshare') {
    const words = [
      ...['--user', `--map-user=${user.uid}`, `--map-group=${user.gid}`, '--keep-caps', '--mount', '--pid', '--fork'],
      ...['--kill-child=KILL', '--ipc', '--uts', '--cgroup', ...(ownNetwork ? ['--net'] : [])],
      ...['--', supplies.agent, ...init, '--filter', FILTER, '--hostname', hostname],
      ...(ownNetwork ? ['--loopback'] : []),
      ...['--', ...ground.base, ...ground.rest],
    ]
    return { program: tool.path, words }
  }
  const finish = tool.isFinishedInside ? ['--filter', FILTER, '--', ...ground.rest] : []
  const rights = tool.isFinishedInside
    ? ['--cap-add', 'CAP_SYS_ADMIN', '--cap-add', 'CAP_SETPCAP']
    : ['--seccomp', FILTER]
  const words = [
    ...['--unshare-user', '--unshare-pid', '--unshare-ipc', '--unshare-uts', '--unshare-cgroup-try'],
    ...(ownNetwork ? ['--unshare-net'] : []),
    ...['--die-with-parent', '--new-session', '--as-pid-1', '--clearenv', '--cap-drop', 'ALL', ...rights],
    ...['--uid', String(user.uid), '--gid', String(user.gid), '--hostname', hostname],
    ...ground.base,
    ...(tool.isFinishedInside ? [] : ground.rest),
    ...['--chdir', '/', '--', HELPER, ...init, ...finish],
  ]
  return { program: tool.path, words }
}

const packages: Readonly<Record<Tool['name'], string>> = {
  bwrap: 'install bubblewrap (Debian package bubblewrap), or set sandbox.bwrap',
  unshare: 'install util-linux, or set sandbox.unshare',
}

/** @throws Error with a sentence */
export async function find({ name, program, isFinishedInside }: Candidate): Promise<Tool> {
  const paths = program.includes('/')
    ? [program]
    : (process.env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, program))
  for (const path of paths) {
    try {
      await access(path, constants.X_OK)
      return { name, path, isFinishedInside }
    } catch {
      // not in this folder
    }
  }
  throw new Error(`there is no program ${program}; ${packages[name]}`)
}
