/** The variables that programs have before those of their channel. */
import type { Member } from '../../ports.ts'
import { memberEnvironment } from '../guest/member-environment.ts'
import type { SandboxSettings } from './room.ts'

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** NAME=value; the login's go before the configuration's, and both before our own. */
export function placeEnvironment(settings: SandboxSettings, member: Member): readonly string[] {
  const { user, shellCommand, environment } = settings
  const own = { PATH, HOME: user.home, USER: user.name, LOGNAME: user.name, SHELL: shellCommand[0] ?? '/bin/sh' }
  const variables = new Map(Object.entries({ ...own, ...environment }))
  for (const line of memberEnvironment(settings, member)) {
    const at = line.indexOf('=')
    variables.set(line.slice(0, at), line.slice(at + 1))
  }
  return [...variables].map(([name, value]) => `${name}=${value}`)
}
