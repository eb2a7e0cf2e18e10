/** Why the kernel lets nobody make a sandbox, where its settings tell. */
import { readFile } from 'node:fs/promises'

/** Each forbids user namespaces to ordinary users at this value, on some distribution or other. */
const forbidding = [
  ['kernel.unprivileged_userns_clone', '0', '1'],
  ['kernel.apparmor_restrict_unprivileged_userns', '1', '0'],
  ['user.max_user_namespaces', '0', 'e.g. 65536'],
] as const

export async function explainRefusal(reason: string): Promise<string> {
  const hints: string[] = []
  for (const [name, value, expected] of forbidding) {
    const path = `/proc/sys/${name.replaceAll('.', '/')}`
    const now = await readFile(path, 'utf8').catch(() => '') // not on this kernel
    if (now.trim() === value) hints.push(`sysctl ${name} is ${value}, expected ${expected}`)
  }
  return [reason, ...hints].join('; ')
}
