/** Tasks for tests of the pool. */
import { BroadcastChannel, threadId } from 'node:worker_threads'
import { task } from '../../../src/workers/pool/task.ts'

export interface TestTasks {
  add(data: { readonly a: number; readonly b: number }): number
  where(data: null): number
  fail(data: null): never
  /** Resolves when it is cancelled, to the reason. */
  wait(data: null, signal: AbortSignal): Promise<string>
  size(data: Uint8Array): number
  spin(data: { readonly flag: Int32Array }): void
  /** Fails at the next message to `STUMBLE`: that is, after the task is over. */
  stumble(data: null): void
}

/** A broadcast channel, for the test has no other way to a thread whose task is over. */
export const STUMBLE = 'stumble'

export const add = task(({ a, b }: { a: number; b: number }) => a + b)
export const where = task(() => threadId)
export const fail = task(() => {
  throw new Error('told to fail')
})
export const wait = task(
  (_: null, signal: AbortSignal) =>
    new Promise<string>((resolve) => {
      const end = (): void => resolve((signal.reason as Error).message)
      if (signal.aborted) end()
      else signal.addEventListener('abort', end)
    }),
)
export const size = task((bytes: Uint8Array) => bytes.length)
export const spin = task(({ flag }: { flag: Int32Array }) => {
  Atomics.add(flag, 1, 1)
  Atomics.notify(flag, 1)
  Atomics.wait(flag, 0, 0)
})
export const stumble = task(() => {
  new BroadcastChannel(STUMBLE).onmessage = () => {
    throw new Error('after the task')
  }
})
/** In place of the task that writes logs. */
export const store = stumble
