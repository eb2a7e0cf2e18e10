/** The sandbox room, as root or as an ordinary user, on the files of this machine. */
import { chmodSync, chownSync, copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { schema } from '../../../src/shared/config/schema.ts'
import { marksIn } from '../../../src/workers/backends/sandbox/slots.ts'
import type { Member } from '../../../src/workers/ports.ts'
import { helper } from '../../guest/program.ts'
import { recordFile } from '../../rigs/daemon.ts'
import { type Inhabited, inhabit } from '../inhabited.ts'
import type { Backend } from '../matrix.ts'
import type { Row } from '../rows.ts'

export interface SandboxRig extends Inhabited {
  readonly directory: string
  /** Ids of the occupant's sandboxes. */
  containers(): Promise<string[]>
}

/** Of the section `sandbox`, as in a file. */
export async function sandboxRoom(section: object, member: Partial<Member> = {}): Promise<SandboxRig> {
  if (agentBinary === undefined) await helper()
  const directory = mkdtempSync(join(tmpdir(), 'sbx-'))
  chmodSync(directory, 0o711)
  const config = schema.parse({
    backend: 'sandbox',
    workers: 1,
    sandbox: {
      directory,
      shellCommand: ['/bin/bash'],
      network: 'loopback',
      ...(agentBinary && { agentBinary }),
      ...section,
    },
  })
  const inhabited = await inhabit('sandbox', config, { member })
  const { connectionId } = inhabited.occupant.peer
  return {
    ...inhabited,
    directory,
    async containers() {
      const marks = await marksIn(directory).catch(() => []) // the rig is gone
      return marks.flatMap(({ mark }) => (mark?.connectionId === connectionId ? [mark.id] : []))
    },
    async [Symbol.asyncDispose]() {
      await inhabited[Symbol.asyncDispose]()
      rmSync(directory, { recursive: true })
    },
  }
}

/** `section`: more of the section `sandbox`. */
export const sandboxes = (section: object): Backend => ({
  open: ({ mode }: Row) => sandboxRoom({ mode, ...section }),
  code: (name) => `SANDBOX_${name.replace(/^CONTAINER_/, '')}`,
})

/** Where an ordinary user finds the guest helper: this checkout may be closed to him. */
let agentBinary: object | undefined

/** From here on this process is that of an ordinary user, who could never become root again. */
export async function becomeOrdinary(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'sbx-helper-'))
  process.once('exit', () => rmSync(folder, { recursive: true }))
  const path = join(folder, 'helper')
  copyFileSync(await helper(), path)
  agentBinary = { [process.arch === 'arm64' ? 'arm64' : 'amd64']: path }
  recordFile()
  const uid = 60_123
  chownSync(folder, uid, uid)
  process.setgroups?.([])
  process.setgid?.(uid)
  process.setuid?.(uid)
}
