/** A process that owns what is made in its name, until it dies. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { ownerLabel } from '../../src/shared/identity.ts'

export interface Mortal extends AsyncDisposable {
  readonly label: string
  /** From then on whatever it owns is fair game for every reaper that sees it, those of other tests as well. */
  die(): Promise<void>
}

export async function startMortal(): Promise<Mortal> {
  const child = spawn('sleep', ['600'], { stdio: 'ignore' })
  await once(child, 'spawn')
  const exited = once(child, 'exit')
  const die = async (): Promise<void> => {
    child.kill('SIGKILL')
    await exited
  }
  return { label: ownerLabel(child.pid), die, [Symbol.asyncDispose]: die }
}
