/** The API servers of one cluster: the one that answered last is asked first. */
export interface Servers {
  /** URL. */
  readonly current: string
  readonly count: number
  /** It does not answer: the next one is current, unless somebody else has gone on already. */
  leave(server: string): void
}

export function createServers(urls: readonly [string, ...string[]]): Servers {
  let at = 0
  const current = (): string => urls[at] ?? urls[0]
  return {
    get current() {
      return current()
    },
    count: urls.length,
    leave(server) {
      if (server === current()) at = (at + 1) % urls.length
    },
  }
}
