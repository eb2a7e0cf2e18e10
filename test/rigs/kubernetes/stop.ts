/** Removes what a cluster leaves behind: its own containers, network namespaces, mounts and bridge, and nothing else. */
import { execFileSync } from 'node:child_process'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { ctr } from './images.ts'
import type { Layout } from './programs.ts'

/** Kernel settings of the whole machine that a kubelet changes. */
const changed = ['vm/overcommit_memory', 'kernel/panic', 'kernel/panic_on_oops']

/** Returns what puts them back. */
export function sysctls(): () => void {
  const before = changed.map((name) => [`/proc/sys/${name}`, readFileSync(`/proc/sys/${name}`, 'utf8')] as const)
  return () => {
    for (const [file, value] of before) writeFileSync(file, value)
  }
}

export async function clean({ folder, bridge }: Layout): Promise<void> {
  const namespaces = attempt(() => containers(folder).flatMap((id) => namespaceOf(folder, id))) ?? []
  attempt(() => {
    for (const id of lines(ctr(folder, 'tasks', 'ls', '-q'))) attempt(() => ctr(folder, 'tasks', 'rm', '-f', id))
    for (const id of containers(folder)) attempt(() => ctr(folder, 'containers', 'rm', id))
  })
  for (const path of namespaces) {
    attempt(() => execFileSync('umount', [path], { stdio: 'pipe' }))
    rmSync(path, { force: true })
  }
  for (const path of mounts(folder)) attempt(() => execFileSync('umount', ['-l', path], { stdio: 'pipe' }))
  attempt(() => execFileSync('ip', ['link', 'del', bridge], { stdio: 'pipe' }))
}

const lines = (text: string): string[] => text.split('\n').filter((line) => line !== '')
const containers = (folder: string): string[] => lines(ctr(folder, 'containers', 'ls', '-q'))

interface Info {
  readonly Spec: {
    readonly linux: { readonly namespaces: readonly { readonly type: string; readonly path?: string }[] }
  }
}
function namespaceOf(folder: string, id: string): string[] {
  const info = JSON.parse(ctr(folder, 'containers', 'info', id)) as Info
  return info.Spec.linux.namespaces.flatMap(({ type, path = '' }) =>
    type === 'network' && path.startsWith('/var/run/netns/cni-') ? [path] : [],
  )
}

const mounts = (folder: string): string[] =>
  lines(readFileSync('/proc/mounts', 'utf8'))
    .map((line) => line.split(' ')[1] ?? '')
    .filter((path) => path.startsWith(`${folder}/`))
    .reverse()

/** What is gone already, or never was, is no failure here. */
function attempt<T>(act: () => T): T | undefined {
  try {
    return act()
  } catch {
    return undefined
  }
}
