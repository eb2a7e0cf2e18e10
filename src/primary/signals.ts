/** What the signals to the primary process do; see signal(7). */

export interface Obedience {
  /** SIGTERM and SIGINT. */
  stop(): void
  /** The second of them. */
  kill(): void
  /** SIGHUP. Never rejects. */
  reload(): Promise<void>
  /** SIGUSR2. Never rejects. */
  upgrade(): Promise<void>
}

/** Until the returned function is called. */
export function obeySignals({ stop, kill, reload, upgrade }: Obedience): () => void {
  let asked = false
  const end = (): void => {
    if (asked) kill()
    asked = true
    stop()
  }
  const acts: readonly [NodeJS.Signals, () => void][] = [
    ['SIGTERM', end],
    ['SIGINT', end],
    ['SIGHUP', () => void reload()],
    ['SIGUSR2', () => void upgrade()],
  ]
  for (const [signal, act] of acts) process.on(signal, act)
  return () => {
    for (const [signal, act] of acts) process.off(signal, act)
  }
}
