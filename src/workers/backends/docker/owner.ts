/** Whom the programs of a container run as: its user as the engine has it, in numbers. */
import { firstFileOf } from '../../../shared/tar.ts'
import type { Engine } from './engine.ts'

export interface Owner {
  readonly uid: number
  readonly gid: number
}

/** /etc/passwd and /etc/group of a large site. */
const mostBytes = 4 * 2 ** 20
const isNumber = (text: string): boolean => /^\d{1,10}$/.test(text)

/**
 * The rules are the engine's: `user`, `user:group`, either by name or number; a number without a group has the group of
 * its line in /etc/passwd, if there is one. @throws Error with a sentence; EngineError
 */
export async function ownerOf(engine: Engine, containerId: string, signal: AbortSignal): Promise<Owner> {
  const [user = '', group = ''] = (await engine.containerUser(containerId, signal)).split(':')
  if (['', '0', 'root'].includes(user) && ['', '0', 'root'].includes(group)) return { uid: 0, gid: 0 }
  const account = await find(user, '/etc/passwd', 2)
  const uid = isNumber(user) ? Number(user) : account?.[2]
  if (uid === undefined) throw new Error(`the image has no user ${user}`)
  if (group === '') return { uid: Number(uid), gid: Number(account?.[3] ?? 0) }
  const gid = isNumber(group) ? group : (await find(group, '/etc/group', 2))?.[2]
  if (gid === undefined) throw new Error(`the image has no group ${group}`)
  return { uid: Number(uid), gid: Number(gid) }

  /** The fields of a name's line, or a number's. */
  async function find(wanted: string, path: string, idField: number): Promise<string[] | undefined> {
    const archive = await engine.archive(containerId, path, mostBytes, signal)
    const lines = archive === undefined ? [] : (firstFileOf(archive)?.toString('utf8').split('\n') ?? [])
    const fields = lines.map((line) => line.split(':'))
    return fields.find((line) => line[isNumber(wanted) ? idField : 0] === wanted)
  }
}
