/** The thread's end of a task. */
import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads'
import type { TaskMessage } from '../../shared/audit/task.ts'

const never = new AbortController().signal

/** What a module of tasks exports: the function as the pool calls it. */
export const task =
  <D, R>(work: (data: D, signal: AbortSignal) => R) =>
  ({ data, cancel }: TaskMessage<D>): R | Promise<Awaited<R>> =>
    cancel === undefined ? work(data, never) : cancellable(cancel, (signal) => work(data, signal))

async function cancellable<R>(port: MessagePort, work: (signal: AbortSignal) => R): Promise<Awaited<R>> {
  const controller = new AbortController()
  const abort = (reason: unknown): void => controller.abort(new Error(String(reason)))
  // The task may have waited, and the abort come before it.
  const early = receiveMessageOnPort(port)
  if (early !== undefined) abort(early.message)
  port.on('message', abort)
  // A task that waits for nothing else must not be kept alive by this.
  port.unref()
  try {
    return await work(controller.signal)
  } finally {
    port.close()
  }
}
