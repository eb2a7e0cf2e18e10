/** A worker gives up the rights that its primary has, before it opens anything. */
import { readFileSync } from 'node:fs'
import { flushCompileCache } from 'node:module'

/** What the primary gives a worker as arguments: `--user NAME UID GID`. */
const option = '--user'

/**
 * For good: no way back is left. Does nothing when the arguments name no user.
 * @throws Error when any right is left; the process must end then
 */
export function becomeUser(args: readonly string[]): void {
  const at = args.indexOf(option)
  if (at === -1) return
  const [name, uid, gid] = [args[at + 1] ?? '', Number(args[at + 2]), Number(args[at + 3])]
  // Its types leave the first one out.
  const { initgroups, setgid, setuid } = process as NodeJS.Process & {
    initgroups?(user: string, extraGroup: number): void
  }
  if (initgroups === undefined || setgid === undefined || setuid === undefined)
    throw new Error('there are no users here')
  // While the folder can still be written: whoever takes this process over must not give the primary code to run.
  flushCompileCache()
  initgroups(name, gid)
  setgid(gid)
  // capabilities(7): they are lost by going from user 0 to another one, and only by that.
  if (process.getuid?.() !== 0) setuid(0)
  setuid(uid)
  check(uid, gid)
}

/** proc_pid_status(5): each id, and what is left of capabilities. */
function check(uid: number, gid: number): void {
  const status = readFileSync('/proc/self/status', 'utf8')
  const valueFor = (field: string): string => new RegExp(`^${field}:\\s*(.*)$`, 'm').exec(status)?.[1] ?? ''
  const expected = { Uid: Array(4).fill(uid).join('\t'), Gid: Array(4).fill(gid).join('\t') }
  for (const [field, value] of Object.entries(expected)) {
    if (valueFor(field) !== value) throw new Error(`${field} is ${valueFor(field)}, not ${value}`)
  }
  for (const field of ['CapPrm', 'CapEff', 'CapAmb']) {
    if (!/^0+$/.test(valueFor(field))) throw new Error(`${field} is ${valueFor(field)}`)
  }
}
