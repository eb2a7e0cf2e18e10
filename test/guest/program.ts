/** The guest helper on this machine, as a server starts it in a container. */
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'
import { findGo } from '../../scripts/go.ts'
import { buildGuest, guestBinary } from '../../scripts/guest.ts'
import { type Finished, finish } from '../rigs/ssh.ts'

export const goTool = (): Promise<string> => findGo(new URL('../../.cache/bench', import.meta.url).pathname)

let built: Promise<string> | undefined
export function helper(): Promise<string> {
  built ??= goTool().then(async (go) => {
    await buildGuest(go)
    return guestBinary(process.arch === 'arm64' ? 'arm64' : 'amd64')
  })
  return built
}

export type Helper = ChildProcessByStdio<Writable, Readable, Readable>
export async function start(
  args: readonly string[],
  options: { env?: NodeJS.ProcessEnv; cwd?: string } = {},
): Promise<Helper> {
  return spawn(await helper(), args, { stdio: ['pipe', 'pipe', 'pipe'], ...options })
}

export async function run(args: readonly string[], input?: Uint8Array, env?: NodeJS.ProcessEnv): Promise<Finished> {
  return finish(await start(args, env === undefined ? {} : { env }), input)
}
