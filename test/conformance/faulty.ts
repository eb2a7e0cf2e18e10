/** A docker room in front of an engine that fails. */
import assert from 'node:assert/strict'
import type { Session } from '../../src/workers/ports.ts'
import { type EngineProxy, engineProxy, type Rule } from '../rigs/engine-proxy.ts'
import { type Rig, type RoomOptions, room } from './rig.ts'

/** Generous, because machines that run tests are busy; a test that waits for the end of one shortens that one. */
const patient = { containerStart: 30_000, commandStart: 30_000, signal: 30_000, window: 30_000, containerStop: 30_000 }
export const error500 = { status: 500, message: 'the engine is in flames' }

/** Runs `task` in a room behind a proxy; afterwards nothing may be left. */
export async function faulty(
  rules: Rule[],
  options: RoomOptions,
  task: (rig: Rig, session: () => Session, proxy: EngineProxy) => Promise<void>,
): Promise<void> {
  await using proxy = await engineProxy(rules)
  // The streams that are damaged here are the engine's.
  const execution = { directStreams: false, ...options.execution }
  const rig = await room({ host: proxy.host, ...options, execution, timeouts: { ...patient, ...options.timeouts } })
  let session: Session | undefined
  try {
    const enter = (): Session => {
      session ??= rig.enter()
      return session
    }
    await task(rig, enter, proxy)
  } finally {
    proxy.rules = proxy.rules.filter(({ match }) => match.source.includes('DELETE'))
    await session?.[Symbol.asyncDispose]()
    await rig[Symbol.asyncDispose]()
  }
  assert.deepEqual(await rig.containers(), [])
}
