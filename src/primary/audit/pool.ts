/**
 * Threads of the primary, for work that would hold up its event loop. A pool runs the functions of one module; what goes in
 * and comes out is plain data.
 */
import { fileURLToPath } from 'node:url'
import { MessageChannel, type Transferable } from 'node:worker_threads'
import { Piscina } from 'piscina'
import type { Task } from '../../shared/audit/task.ts'

/** As long as a thread has nothing to do, before it ends. */
const IDLE_MS = 30_000

/** Of `T`: what the module exports, by name. */
export interface Pool<T extends { readonly [N in keyof T]: Task }> {
  /**
   * Resolves to what the task returned; an abort of the signal reaches the task, which decides how it ends.
   * @throws what the task threw, without properties of its own; Error when too many wait, or the thread or the pool ended
   */
  run<N extends keyof T & string>(
    name: N,
    data: Parameters<T[N]>[0],
    options?: RunOptions,
  ): Promise<Awaited<ReturnType<T[N]>>>
  /** Tasks that no thread has taken yet. */
  readonly waiting: number
  /** Drops the tasks that wait, and gives those that run `graceMs`. */
  close(): Promise<void>
}
export interface RunOptions {
  readonly signal?: AbortSignal | undefined
  /** Memory that goes to the thread and is lost here. */
  readonly transfer?: readonly Transferable[]
}
export interface PoolOptions {
  /** Exports the tasks, each wrapped by `task()`. */
  readonly module: URL
  readonly threads: number
  /** Threads that are kept when idle. */
  readonly kept?: number
  /** Tasks that one thread runs at the same time: more than 1 only where tasks wait for the network. */
  readonly perThread?: number
  /** Tasks that may wait for a thread. */
  readonly queue: number
  readonly graceMs: number
  /** By how much its threads are nicer than the process; where the platform has that for threads. */
  readonly nice?: number
  /** A thread failed outside of its tasks. It is replaced. */
  failed(error: Error): void
}

export function createPool<T extends { readonly [N in keyof T]: Task }>(options: PoolOptions): Pool<T> {
  const piscina = new Piscina({
    filename: fileURLToPath(options.module),
    minThreads: options.kept ?? 0,
    maxThreads: options.threads,
    concurrentTasksPerWorker: options.perThread ?? 1,
    maxQueue: options.queue,
    idleTimeout: IDLE_MS,
    // 'sync' would freeze the timers and sockets of a thread between tasks.
    atomics: 'async',
    stricterFIFO: true,
    niceIncrement: options.nice ?? 0,
    recordTiming: false,
    // Descriptors are opened in one thread and closed in another.
    trackUnmanagedFds: false,
    closeTimeout: options.graceMs,
  })
  let closing = false
  // That the grace is over is an 'error' too.
  piscina.on('error', (error) => closing || options.failed(error))
  return {
    async run(name, data, { signal, transfer = [] } = {}) {
      signal?.throwIfAborted()
      // Piscina's own signal would end the thread, with all that it does at the same time.
      const cancel = signal === undefined ? undefined : cancellation(signal)
      const ports = cancel === undefined ? [] : [cancel.port]
      const message = { data, cancel: cancel?.port }
      try {
        return await piscina.run(message, { name, transferList: [...transfer, ...ports] })
      } finally {
        cancel?.end()
      }
    },
    get waiting() {
      return piscina.queueSize
    },
    async close() {
      closing = true
      await piscina.close({ force: true })
    },
  }
}

/** A port at whose other end the task hears of the abort. */
function cancellation(signal: AbortSignal) {
  const { port1, port2 } = new MessageChannel()
  const tell = (): void => port1.postMessage(String(signal.reason))
  signal.addEventListener('abort', tell, { once: true })
  return {
    port: port2,
    end() {
      signal.removeEventListener('abort', tell)
      port1.close()
    },
  }
}
