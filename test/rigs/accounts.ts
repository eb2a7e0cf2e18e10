/** System users that only one program sees: its own view of /etc/passwd and /etc/group. Needs root. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface Accounts extends Disposable {
  /** In front of a command, it has them. */
  readonly through: readonly string[]
}
export interface SystemUser {
  readonly name: string
  readonly id: number
  /** Further groups. */
  readonly groups?: readonly string[]
}

export function withUsers(users: readonly SystemUser[]): Accounts {
  const folder = mkdtempSync(join(tmpdir(), 'containerssh-accounts-'))
  const [passwd, group] = [join(folder, 'passwd'), join(folder, 'group')]
  const lines = users.map(({ name, id }) => `${name}:x:${id}:${id}::/:/usr/sbin/nologin\n`)
  writeFileSync(passwd, readFileSync('/etc/passwd', 'utf8') + lines.join(''))
  const own = users.map(({ name, id }) => `${name}:x:${id}:\n`)
  const groups = readFileSync('/etc/group', 'utf8').replace(
    /^(\w+):(.*:)(.*)$/gm,
    (line, name: string, ...[head, members]: string[]) => {
      const joined = users.filter((user) => user.groups?.includes(name)).map((user) => user.name)
      return joined.length === 0 ? line : `${name}:${head}${[members, ...joined].filter(Boolean).join(',')}`
    },
  )
  writeFileSync(group, groups + own.join(''))
  const script = `mount --bind ${passwd} /etc/passwd && mount --bind ${group} /etc/group && exec "$@"`
  return {
    through: ['unshare', '--mount', 'sh', '-c', script, 'sh'],
    [Symbol.dispose]: () => rmSync(folder, { recursive: true }),
  }
}
