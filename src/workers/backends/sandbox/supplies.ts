/** Files on the machine that sandboxes get, made once and named by their content. */
import { createHash } from 'node:crypto'
import { rename, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { filteredArchitecture, sandboxFilter } from '../../../shared/seccomp/filter.ts'
import { contentOf, createBinaries } from '../guest/binary.ts'
import type { SandboxSettings, Supplies } from './room.ts'

/** Go's names. */
const goArchitectures = { x64: 'amd64', arm64: 'arm64' } as const

/** @throws Error with a sentence */
export async function makeSupplies(settings: SandboxSettings, directory: string): Promise<Supplies> {
  const architecture = filteredArchitecture(process.arch)
  if (architecture === undefined) throw new Error(`there is no seccomp filter for ${process.arch}`)
  const put = async (name: string, content: Uint8Array | string, mode: number): Promise<string> => {
    const hash = createHash('sha256').update(content).digest('hex').slice(0, 16)
    return place(join(directory, `${name}-${hash}`), content, mode)
  }
  const goName = goArchitectures[architecture]
  const binary = await createBinaries().find(settings.agentBinary, goName)
  if (binary === undefined) {
    throw new Error(`there is no guest agent: build it by npm run guest, or name it in sandbox.agentBinary.${goName}`)
  }
  return {
    agent: await put('agent', await contentOf(binary), 0o755),
    filter: await put('filter', sandboxFilter(architecture, settings.network !== 'none'), 0o600),
    passwd: await put('passwd', passwd(settings), 0o644),
    group: await put('group', group(settings), 0o644),
    hosts: await put('hosts', HOSTS, 0o644),
  }
}

/** Under its own name only when it is whole. */
async function place(path: string, content: Uint8Array | string, mode: number): Promise<string> {
  const there = await stat(path).catch(() => undefined)
  if (there?.size === Buffer.byteLength(content)) return path
  const unfinished = `${path}.${process.pid}`
  await writeFile(unfinished, content, { mode })
  await rename(unfinished, path)
  return path
}

const nobody = 65_534
/** Of a network of its own, or of none. */
const HOSTS = '127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n'

function passwd({ user: { name, uid, gid, home }, shellCommand }: SandboxSettings): string {
  const others = uid === 0 ? '' : 'root:x:0:0:root:/:/bin/false\n'
  return `${name}:x:${uid}:${gid}:${name}:${home}:${shellCommand[0] ?? '/bin/sh'}\n${others}nobody:x:${nobody}:${nobody}:nobody:/:/bin/false\n`
}

const group = ({ user: { name, gid } }: SandboxSettings): string =>
  `${name}:x:${gid}:\n${gid === 0 ? '' : 'root:x:0:\n'}nogroup:x:${nobody}:\n`
