/** The seccomp filter of sandboxes. */
import { assemble, errno, type Rule } from './assemble.ts'
import { type Architecture, examined, numberOn, refused } from './system-calls.ts'

/** CLONE_NEW* (linux/sched.h), but CLONE_NEWTIME, whose bit is part of a signal's number for clone(2). */
const NEW_NAMESPACES = 0x7e02_0000
const NEW_TIME = 0x80

/** Put characters into the input of a terminal (ioctl_tty(2)). */
const TIOCSTI = 0x5412
const TIOCLINUX = 0x541c

/** Address families (linux/socket.h). Others, such as those of virtual machines, know no network namespaces. */
const AF_UNIX = 1
const AF_INET = 2
const AF_INET6 = 10
const AF_NETLINK = 16

export const filteredArchitecture = (name: string): Architecture | undefined =>
  name === 'x64' || name === 'arm64' ? name : undefined

/** `hasNetwork`: sockets besides those of the file system. */
export function sandboxFilter(architecture: Architecture, hasNetwork: boolean): Buffer {
  const call = (name: keyof typeof examined): number => examined[name][architecture === 'x64' ? 0 : 1]
  const never = Object.values(refused).flatMap((numbers): Rule[] => {
    const number = numberOn(architecture, numbers)
    return number === undefined ? [] : [{ kind: 'deny', call: number, errno: errno.EPERM }]
  })
  const families = hasNetwork ? [AF_UNIX, AF_INET, AF_INET6, AF_NETLINK] : [AF_UNIX]
  return assemble(architecture, [
    { kind: 'allowValues', call: call('socket'), argument: 0, values: families, errno: errno.EAFNOSUPPORT },
    { kind: 'denyValues', call: call('ioctl'), argument: 1, values: [TIOCSTI, TIOCLINUX], errno: errno.EPERM },
    { kind: 'denyBits', call: call('clone'), argument: 0, bits: NEW_NAMESPACES },
    { kind: 'denyBits', call: call('unshare'), argument: 0, bits: NEW_NAMESPACES | NEW_TIME },
    // Its flags are in memory, where no filter sees them: libraries fall back to clone.
    { kind: 'deny', call: call('clone3'), errno: errno.ENOSYS },
    ...never,
  ])
}
