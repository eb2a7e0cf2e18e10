/** Which connection an operator means. */
import { RequestError } from './requests.ts'
import type { Located, Switchboard } from './switchboard.ts'

const SHORTEST_PREFIX = 4

/** By the beginning of its id. @throws RequestError */
export async function findConnection(switchboard: Switchboard, id: string): Promise<Located> {
  if (!/^[0-9a-f]{1,32}$/.test(id)) throw new RequestError('malformed', `${id} is no id; expected up to 32 hex digits`)
  if (id.length < SHORTEST_PREFIX) {
    throw new RequestError('malformed', `${id} is too short; expected at least ${SHORTEST_PREFIX} digits of an id`)
  }
  const { connections, silent } = await switchboard.list()
  const found = connections.filter(({ connectionId }) => connectionId.startsWith(id))
  const [only, ...others] = found
  if (only === undefined) {
    const perhaps = silent.length === 0 ? '' : `; ${silentText(silent)}`
    throw new RequestError(silent.length === 0 ? 'unknown' : 'silent', `there is no connection ${id}${perhaps}`)
  }
  if (others.length > 0) {
    throw new RequestError('ambiguous', `${found.length} connections begin with ${id}; expected more digits`)
  }
  return only
}

/** All of a user, by his login name. @throws RequestError */
export async function connectionsOf(switchboard: Switchboard, username: string): Promise<readonly Located[]> {
  const { connections, silent } = await switchboard.list()
  const found = connections.filter((one) => one.username === username && username !== '')
  if (found.length > 0) return found
  const perhaps = silent.length === 0 ? '' : `; ${silentText(silent)}`
  throw new RequestError('unknown', `there is no connection of ${username}${perhaps}`)
}

const silentText = (silent: readonly number[]): string =>
  `worker ${silent.join(', ')} did not answer, and may have ${silent.length === 1 ? 'it' : 'them'}`
