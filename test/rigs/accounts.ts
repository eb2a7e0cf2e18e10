/**
 * System users that only one program sees: its own view of /etc/passwd and /etc/group. It sees this checkout at a place that
 * is open to them, too, since its own may be below a folder that is not. Needs root.
 */
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

const root = resolve(import.meta.dirname, '../..')

export interface Accounts extends Disposable {
  /** In front of a command, it has them. */
  readonly through: readonly string[]
  /** Where that command sees the checkout. */
  readonly checkout: string
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
  const stage = join(folder, 'stage')
  mkdirSync(stage)
  chmodSync(folder, 0o755)
  const [checkout, upper, work] = [join(stage, 'checkout'), join(stage, 'upper'), join(stage, 'work')]
  const script = [
    `mount --bind ${passwd} /etc/passwd`,
    `mount --bind ${group} /etc/group`,
    `mount -t tmpfs -o mode=755 tmpfs ${stage}`,
    `mkdir ${checkout} ${upper} ${work}`,
    `mount -t overlay -o lowerdir=${root},upperdir=${upper},workdir=${work} overlay ${checkout}`,
    `chmod 755 ${checkout}`,
    'exec "$@"',
  ].join(' && ')
  return {
    through: ['unshare', '--mount', 'sh', '-c', script, 'sh'],
    checkout,
    [Symbol.dispose]: () => rmSync(folder, { recursive: true }),
  }
}
