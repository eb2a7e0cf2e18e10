/** Rules over `audit`, when it is on; those over `audit.s3` are in a file of their own. */
import type { Finding } from './checks.ts'
import { show } from './problems.ts'
import type { Config } from './schema.ts'

const storages = ['file', 's3']

const moreStorages = ({ storage, moreStorages: more }: Config['audit']): Finding[] =>
  more.flatMap((name, index) => {
    const path = ['audit', 'moreStorages', index]
    if (!storages.includes(name))
      return [{ path, message: `${show(name)} is no storage; expected ${storages.join(' or ')}` }]
    const isTwice = name === storage || more.indexOf(name) < index
    return isTwice ? [{ path, message: `${show(name)} is a storage already; expected each of them once` }] : []
  })

export const auditFindings = ({ audit }: Config): Finding[] => {
  if (!audit.enable) return []
  const found = moreStorages(audit)
  const used = [audit.storage, ...audit.moreStorages]
  if (used.includes('file') && used.includes('s3') && audit.file.directory === audit.s3.local) {
    const message = `${show(audit.s3.local)} is audit.file.directory too; expected a folder of its own`
    found.push({ path: ['audit', 's3', 'local'], message })
  }
  if (audit.connectionBytes > audit.workerBytes) {
    const message = `${audit.connectionBytes} is more than audit.workerBytes; expected ${audit.workerBytes} or less`
    found.push({ path: ['audit', 'connectionBytes'], message })
  }
  return found
}
